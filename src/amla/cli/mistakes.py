"""Which errors are a user's mistakes, and what to say of them; any other is a bug in amla."""


def is_explained(error: Exception) -> bool:
    """Return whether an error is one of those that tell a user what to do; any other is a bug in amla."""
    from amla.algorithms.errors import RemoteError
    from amla.execution.work import WorkerError
    from amla.probes import ProbeError
    from amla.services.errors import ServiceError
    from amla.spaces.space import SpaceError
    from amla.spec.values import SpecError
    from amla.storage.errors import DamagedFile, StoreError
    from amla.study.study import StudyError
    from amla.tasks.dataset import DataError

    known = (
        SpecError, SpaceError, StudyError, DataError, StoreError, DamagedFile, ProbeError, WorkerError, RemoteError,
        ServiceError, OSError,
    )  # fmt: skip
    return isinstance(error, known)


def message(error: Exception) -> str:
    """Return what to tell the user."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.strerror}: '{error.filename}'. Nothing is lost: mend that, and start the same command again."
    return str(error)
