/* Passes over the channels of pixels, rows of NHWC memory, by vectors of W channels: included once for every W.

Channels that no whole vector is left for are done by a vector that ends with the last channel, and so some of them
twice, with the same result. Within a block of rows sums are float; blocks are added up as double. With every row a
share of what the next block needs is fetched: branches are read in turn, too little of each for the hardware to see.
*/

#define INT NAME(integers)
#define UINT NAME(naturals)
#define DOUBLES NAME(doubles)
typedef int INT __attribute__((vector_size(4 * W)));
typedef unsigned UINT __attribute__((vector_size(4 * W), may_alias));
typedef double DOUBLES __attribute__((vector_size(8 * W), aligned(8), may_alias));

INLINE VEC NAME(where)(INT mask, VEC v) { return (VEC)(mask & (INT)v); }

INLINE VEC NAME(all)(float number) { return number - (VEC){0}; }

INLINE VEC NAME(root)(VEC v)
{
    UNROLL for (int i = 0; i < W; i++) v[i] = __builtin_sqrtf(v[i]);
    return v;
}

/* 0 or 1 / keep for the elements from `index` on: a hash of key and index, by three rounds of multiplication and shift
   (the constants are those of Chris Wellons's triple32, found by search for the least bias). */
INLINE VEC NAME(kept)(const struct dropout *d, unsigned index)
{
    UINT h;
    UNROLL for (int i = 0; i < W; i++) h[i] = i;
    h = (h + index + d->first) ^ d->key;
    h = (h ^ h >> 17) * 0xed5ad4bbu;
    h = ((h ^ h >> 11) + d->second) * 0xac4c1b51u;
    h = (h ^ h >> 15) * 0x31848babu;
    h ^= h >> 14;
    return NAME(where)((INT)(h >> 1) < (int)d->threshold, NAME(all)(d->enlarge));
}

INLINE void NAME(drop)(const struct dropout *d, const float *x, float *out, long from, long to)
{
    for (; from + W <= to; from += W) STORE(out + from, LOAD(x + from) * NAME(kept)(d, from));
}

/* The four passes go over rows `from` to `to` of n vectors of a branch, from channel c on; the last vector of a branch
   ends with its last channel. What stays the same is held in variables: a vector stored may be any memory, also that
   of the structures. */
#define EACH UNROLL for (int i = 0; i < n; i++)
#define PASS(name) \
    INLINE void NAME(name)(const struct cell *s, const struct branch *b, int c, int n, long from, long to, \
                           const float *dy, float *out, double *first, double *second)
#define CONSTANTS \
    const struct dropout dropout = s->dropout; \
    const long width = b->channels, stride = s->channels, start = b->start; \
    const long parts = (width + GROUP * W - 1) / (GROUP * W), share = (width + parts - 1) / parts; \
    const long behind = c / (GROUP * W) * share * (to - from), next = to * width + behind; \
    const long next_of_all = to * stride + start * (to - from) + behind; \
    const int relu = s->relu; \
    const float *x = b->x; \
    float *dx = b->dx; \
    long at[GROUP]; \
    VEC sum[GROUP], other[GROUP], mean[GROUP], a[GROUP], shift[GROUP]; \
    EACH { \
        at[i] = c + (i + 1) * W > width ? width - W : c + i * W; \
        sum[i] = other[i] = (VEC){0}; \
        mean[i] = LOAD(b->mean + at[i]), a[i] = LOAD(b->factor + at[i]), shift[i] = LOAD(b->shift + at[i]); \
    } \
    (void)dropout, (void)stride, (void)start, (void)relu, (void)dx, (void)a, (void)shift, (void)next_of_all; \
    (void)dy, (void)out, (void)first, (void)second
#define COMING(p) fetch((p) + (r - from) * share, share)

/* Add a sum to those of a chunk, but for its first `seen` channels, which the vector before has summed. */
INLINE void NAME(add)(double *to, VEC sum, int seen)
{
    INT lane;
    UNROLL for (int i = 0; i < W; i++) lane[i] = i;
    *(DOUBLES *)to += __builtin_convertvector(NAME(where)(lane >= seen, sum), DOUBLES);
}
#define ADD_UP \
    EACH { \
        int seen = c + i * W - at[i]; \
        NAME(add)(first + at[i], sum[i], seen), NAME(add)(second + at[i], other[i], seen); \
    }

/* Sum x - mean up, and its square; the mean is not yet known, and x[0] stands for it. */
PASS(moments)
{
    CONSTANTS;
    for (long r = from; r < to; r++) {
        COMING(x + next);
        EACH {
            VEC v = LOAD(x + r * width + at[i]) - mean[i];
            sum[i] += v;
            other[i] += v * v;
        }
    }
    ADD_UP
}

/* Write into the branch's slice of out; sum what is written up, and its square, before dropout. */
PASS(write)
{
    CONSTANTS;
    for (long r = from; r < to; r++) {
        COMING(x + next), COMING(out + next_of_all);
        EACH {
            long place = r * stride + start + at[i];
            VEC h = (LOAD(x + r * width + at[i]) - mean[i]) * a[i] + shift[i];
            if (relu) h = NAME(where)(~(h <= 0), h); /* keeps NaN: a training that diverges must be seen to */
            sum[i] += h;
            other[i] += h * h;
            if (dropout.on) h *= NAME(kept)(&dropout, place);
            STORE(out + place, h);
        }
    }
    ADD_UP
}

/* The gradient of normalised values, from that of what was written. */
#define GATED \
    long place = r * stride + start + at[i]; \
    VEC centred = LOAD(x + r * width + at[i]) - mean[i], g = LOAD(dy + place); \
    if (dropout.on) g *= NAME(kept)(&dropout, place); \
    if (relu) g = NAME(where)(~(centred * a[i] + shift[i] <= 0), g)

/* Sum the gradient of the normalised values up, and its product with x - mean. */
PASS(gradients)
{
    CONSTANTS;
    for (long r = from; r < to; r++) {
        COMING(x + next), COMING(dy + next_of_all);
        EACH {
            GATED;
            sum[i] += g;
            other[i] += g * centred;
        }
    }
    ADD_UP
}

/* Write the gradient of x: factor * (gradient - offset - slope * (x - mean)). */
PASS(back)
{
    CONSTANTS;
    EACH sum[i] = LOAD(b->offset + at[i]), other[i] = LOAD(b->slope + at[i]);
    for (long r = from; r < to; r++) {
        COMING(x + next), COMING(dy + next_of_all), COMING(dx + next);
        EACH {
            GATED;
            STORE(dx + r * width + at[i], a[i] * (g - sum[i] - other[i] * centred));
        }
    }
}

static void NAME(go_over)(enum pass pass, const struct cell *s, const struct branch *b, long from, long to,
                          const float *dy, float *out, double *first, double *second)
{
    for (int c = 0; c < b->channels;) {
        int n = b->channels - c > W ? GROUP : 1;
#define GO(f) \
    if (n == GROUP) NAME(f)(s, b, c, GROUP, from, to, dy, out, first, second); \
    else NAME(f)(s, b, c, 1, from, to, dy, out, first, second); \
    break
        switch (pass) {
            case MOMENTS: GO(moments);
            case WRITE: GO(write);
            case GRADIENTS: GO(gradients);
            case BACK: GO(back);
        }
#undef GO
        c += n * W;
    }
}
#undef EACH
#undef PASS
#undef CONSTANTS
#undef COMING
#undef ADD_UP
#undef GATED

/* The sum of every element's neighbours, `padded` being the first neighbour of the first. */
INLINE VEC NAME(window)(const float *padded, int radius)
{
    VEC sum = LOAD(padded);
    for (int i = 1; i <= 2 * radius; i++) sum += LOAD(padded + i);
    return sum;
}

/* n to the power of -quarters / 4: of -1/2, -3/4 or -1. */
INLINE VEC NAME(power)(VEC n, int quarters)
{
    if (quarters == 4) return 1 / n;
    n = 1 / NAME(root)(n);
    if (quarters == 3) n *= NAME(root)(n);
    return n;
}

/* Respond to `rows` rows of x; with dy, write the gradient of x instead. `padded` has room for the rows, each with
   `radius` zeros on both sides, and `channels` more a row. */
static void NAME(respond)(const struct response *s, const float *x, const float *dy, float *out, long rows,
                          float *padded)
{
    int channels = s->channels, wide = channels + 2 * s->radius;
    float *powers = padded + rows * wide;
#define ROWS for (long r = 0; r < rows; r++) for (int c = 0; c < channels; c += W)
#define AT long at = c + W > channels ? channels - W : c, here = r * channels + at, there = r * wide + at
    ROWS { AT; VEC v = LOAD(x + here); STORE(padded + there + s->radius, v * v); }
    ROWS {
        AT;
        VEC n = s->bias + s->alpha * NAME(window)(padded + there, s->radius), p = NAME(power)(n, s->quarters);
        if (dy) STORE(powers + here, p), STORE(out + here, LOAD(dy + here) * LOAD(x + here) * p / n);
        else STORE(out + here, LOAD(x + here) * p);
    }
    if (!dy) return;
    ROWS { AT; STORE(padded + there + s->radius, LOAD(out + here)); }
    ROWS {
        AT;
        VEC sum = NAME(window)(padded + there, s->radius);
        STORE(out + here, LOAD(dy + here) * LOAD(powers + here) - s->slope * LOAD(x + here) * sum);
    }
#undef ROWS
#undef AT
}
#undef INT
#undef UINT
#undef DOUBLES
