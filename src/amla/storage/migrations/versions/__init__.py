"""The revisions, one module each. One that is released is never changed."""
