/* What PyTorch spends most of an EnvelopeNet's training on outside of matrix products, for CPUs and float32.

All images are in NHWC memory. Work is cut into parts that do not depend on the number of threads, and the sums of parts
are added in their order, so that results do not depend on it either. Functions return 0, or 1 if there is no memory.
*/

#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define NAME(f) JOIN(f, W)
#define VEC NAME(vec)
#define LOAD(p) (*(const VEC *)(p))
#define STORE(p, v) (*(VEC *)(p) = (v))

#if defined(__AVX512F__) || defined(__aarch64__)
#define REGISTERS 32
#else
#define REGISTERS 16
#endif
#ifdef __AVX2__
#define USUAL 8 /* floats of a vector; GCC keeps wider ones than the processor's in memory */
#else
#define USUAL 4
#endif
#define TILE 8      /* pixels of a tile: with the k taps they fill 16 registers */
#define GATHERED (REGISTERS == 32 ? 8 : 4) /* pixels of a tile of the weights' gradient, which has n * k sums too */
#define CHUNKS 16   /* parts that a batch is cut into */
#define BAND 16384  /* floats of the lines that the weights' gradient goes over several times: a quarter of an L2 cache */
#define BLOCK 4096  /* floats of the rows that a pass goes over several times: half of a small L1 cache */
#define GROUP 2     /* vectors that it goes over at a time */

enum pass { MOMENTS, WRITE, GRADIENTS, BACK };

/* Where a tile stands in its line. */
enum { INSIDE = 0, FIRST = 1, LAST = 2, RAGGED = 4 };

struct images { int count, height, width, channels; };

struct dropout {
    int on;
    unsigned key, second, threshold; /* kept is what hashes to less than threshold, of 31 bits */
    float enlarge;                   /* 1 / keep */
    unsigned first;                  /* how many elements of the whole batch come before these */
};

/* One of the tensors whose channels, in a row, make up an output: each (rows, channels), or (channels). */
struct branch {
    int channels, start;
    float epsilon, momentum;
    const float *x, *scale, *given_shift; /* scale and given_shift may be null: 1 and 0 */
    float *running_mean, *running_variance, *dx;
    float *mean, *inverse, *factor, *shift; /* of the batch; 1 / deviation; inverse * scale; given_shift, or 0 */
    float *offset, *slope, *dscale, *dshift;
};

struct cell {
    long rows;
    int channels, branches, training, relu;
    struct dropout dropout;
};

struct response {
    int channels, radius, quarters; /* beta = quarters / 4 */
    float bias, alpha, slope;       /* slope = 2 * alpha * beta */
};

INLINE int edges_of(int x0, int left, int t, int p)
{
    if (left < t || (left > t && left < t + p) || (x0 > 0 && x0 < p)) return RAGGED;
    return (x0 == 0 ? FIRST : INSIDE) | (left == t ? LAST : INSIDE);
}

/* Elements of a line that fall to each of its tiles. */
INLINE long share_of(const struct images *s, int w, int t)
{
    long tiles = (long)((s->width + t - 1) / t) * ((s->channels + w - 1) / w);
    return ((long)s->width * s->channels + tiles - 1) / tiles;
}

/* Fetch n floats that come next into the second-level cache: in the first they would be in the way of those in use. The
   same goes for what is to be written: asked for as such, it lands there. */
INLINE void fetch(const float *from, long n)
{
    for (long i = 0; i < n; i += 16) __builtin_prefetch(from + i, 0, 2);
}

typedef float vec_16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float vec_8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vec_4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vec_1 __attribute__((vector_size(4), aligned(4), may_alias));

#ifdef __AVX512F__
#define W 16
#include "depthwise.h"
#undef W
#endif
#define W USUAL
#include "depthwise.h"
#include "rows.h"
#undef W
#if USUAL > 4
#define W 4
#include "rows.h"
#undef W
#endif
#define W 1
#include "rows.h"
#undef W

/* Channels of a vector: the most of which no more than half a vector is computed twice. */
static int vector(int channels)
{
#ifdef __AVX512F__
    if (channels >= 16 && (channels + 15) / 16 * 16 - channels <= 8) return 16;
#endif
    (void)channels;
    return USUAL;
}

/* Where the weights of every kernel start once they are packed; return the size of all. */
static long places(long *start, int w, const struct images *s, int kernels, const int *k)
{
    long size = 0;
    for (int m = 0; m < kernels; m++) {
        start[m] = size;
        size += (long)(s->channels + w - 1) / w * w * k[m] * k[m];
    }
    return size;
}

/* Weights (channels, k, k) as (block, k, k, w), turned around for the input's gradient. What adds to the outputs of
   another kernel must add nothing to channels that the block before has added to. */
static void pack(const float *weight, float *packed, int w, int channels, int k, int turned, int add)
{
    for (int c = 0; c < channels; c += w)
        for (int tap = 0; tap < k * k; tap++)
            for (int lane = 0; lane < w; lane++) {
                int at = (c + w > channels ? channels - w : c) + lane;
                *packed++ = add && at < c ? 0 : weight[(long)at * k * k + (turned ? k * k - 1 - tap : tap)];
            }
}

static void unpack(const float *packed, float *weight, int w, int channels, int k)
{
    for (int c = 0; c < channels; c += w)
        for (int tap = 0; tap < k * k; tap++)
            for (int lane = 0; lane < w; lane++)
                weight[(long)((c + w > channels ? channels - w : c) + lane) * k * k + tap] = *packed++;
}

static void convolve(int w, const struct images *s, const float *x, const float *packed, float *out, int y, int k,
                     int add)
{
    switch (w) {
#ifdef __AVX512F__
        case 16: convolve_16(s, x, packed, out, y, k, add); break;
#endif
        default: JOIN(convolve, USUAL)(s, x, packed, out, y, k, add);
    }
}

static void correlate(int w, const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k)
{
    switch (w) {
#ifdef __AVX512F__
        case 16: correlate_16(s, x, dy, to, y0, y1, k); break;
#endif
        default: JOIN(correlate, USUAL)(s, x, dy, to, y0, y1, k);
    }
}

/* Convolve x with each of the `kernels` weights (channels, k, k) into its out. */
int depthwise(int threads, const struct images *s, int kernels, const int *k, const float *x,
              const float *const *weight, float *const *out)
{
    int w = vector(s->channels);
    long image = (long)s->height * s->width * s->channels, start[kernels], size = places(start, w, s, kernels, k);
    float *packed = malloc(size * sizeof *packed);
    if (!packed) return 1;
    for (int m = 0; m < kernels; m++) pack(weight[m], packed + start[m], w, s->channels, k[m], 0, 0);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long line = 0; line < (long)s->count * s->height; line++)
        for (int m = 0; m < kernels; m++) {
            long at = line / s->height * image;
            convolve(w, s, x + at, packed + start[m], out[m] + at, line % s->height, k[m], 0);
        }
    free(packed);
    return 0;
}

/* The gradients dx of x and dw (channels, k, k) of the weights, any of which may be null, from those of the outputs:
   band by band, so that dy is read from memory once. */
int depthwise_back(int threads, const struct images *s, int kernels, const int *k, const float *x,
                   const float *const *weight, const float *const *dy, float *dx, float *const *dw)
{
    int w = vector(s->channels), chunks = s->count < CHUNKS ? s->count : CHUNKS;
    long line = (long)s->width * s->channels, image = line * s->height, start[kernels];
    long size = places(start, w, s, kernels, k);
    float *packed = calloc(size * (1 + chunks), sizeof *packed), *sums = packed + size;
    if (!packed) return 1;
    for (int m = 0; m < kernels; m++) pack(weight[m], packed + start[m], w, s->channels, k[m], 1, m);
    int band = (1 + kernels) * line < BAND ? BAND / ((1 + kernels) * line) : 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < chunks; chunk++)
        for (long i = (long)s->count * chunk / chunks; i < (long)s->count * (chunk + 1) / chunks; i++)
            for (int y0 = 0, y1; y0 < s->height; y0 = y1) {
                y1 = y0 + band < s->height ? y0 + band : s->height;
                for (int y = y0; dx && y < y1; y++)
                    for (int m = 0; m < kernels; m++)
                        convolve(w, s, dy[m] + i * image, packed + start[m], dx + i * image, y, k[m], m);
                for (int m = 0; m < kernels; m++)
                    if (dw[m])
                        correlate(w, s, x + i * image, dy[m] + i * image, sums + chunk * size + start[m], y0, y1, k[m]);
            }
    for (int chunk = 1; chunk < chunks; chunk++)
        for (long i = 0; i < size; i++) sums[i] += sums[chunk * size + i];
    for (int m = 0; m < kernels; m++)
        if (dw[m]) unpack(sums + start[m], dw[m], w, s->channels, k[m]);
    free(packed);
    return 0;
}

/* Call a function of rows.h: memory, not arithmetic, limits them, and the usual vectors do. */
#define BY_WIDTH(f, channels, ...) \
    ((channels) >= USUAL ? JOIN(f, USUAL)(__VA_ARGS__) : (channels) >= 4 ? f##_4(__VA_ARGS__) : f##_1(__VA_ARGS__))

/* Make one pass over all branches, block by block, with the sums of every chunk. */
static void pass_over(int threads, enum pass pass, const struct cell *s, const struct branch *branches, const float *dy,
                      float *out, double *sums)
{
    long block = s->channels < BLOCK / 8 ? BLOCK / s->channels : 8;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (long from = s->rows * chunk / CHUNKS, end = s->rows * (chunk + 1) / CHUNKS, to; from < end; from = to) {
            to = from + block < end ? from + block : end;
            for (const struct branch *b = branches; b < branches + s->branches; b++) {
                double *first = sums + 2L * chunk * s->channels + b->start, *second = first + s->channels;
                if (pass == BACK && !b->dx) continue;
                BY_WIDTH(go_over, b->channels, pass, s, b, from, to, dy, out, first, second);
            }
        }
}

static double *new_sums(const struct cell *s) { return calloc(2L * CHUNKS * s->channels, sizeof(double)); }

/* Add the sums of all chunks up in those of the first. */
static void total(const struct cell *s, double *sums)
{
    for (long i = 2L * s->channels; i < 2L * CHUNKS * s->channels; i++) sums[i % (2L * s->channels)] += sums[i];
}

/* Mean and variance of the batch, from sums of x - x[0], which do not cancel; and what is remembered of them. */
static void take_moments(const struct cell *s, const struct branch *b, const double *sum)
{
    for (int c = 0; c < b->channels; c++) {
        double n = s->rows, mean = b->running_mean[c], variance = b->running_variance[c];
        if (s->training) {
            double shifted = sum[c] / n;
            mean = b->x[c] + shifted;
            variance = sum[s->channels + c] / n - shifted * shifted;
            variance = variance < 0 ? 0 : variance;
            b->running_mean[c] += b->momentum * (mean - b->running_mean[c]);
            b->running_variance[c] += b->momentum * (variance * n / (n - 1) - b->running_variance[c]);
        }
        b->mean[c] = mean;
        b->inverse[c] = 1 / __builtin_sqrt(variance + b->epsilon);
        b->factor[c] = b->inverse[c] * (b->scale ? b->scale[c] : 1);
        b->shift[c] = b->given_shift ? b->given_shift[c] : 0;
    }
}

/* Normalise every branch by the moments of the batch (or, not training, by those remembered) and write it into its
   channels of out (rows, channels): then ReLU, then dropout. `moments` (2, channels) gets the sums of what dropout
   gets, and of its square. */
int normalise(int threads, const struct cell *s, const struct branch *branches, float *out, double *moments)
{
    double *sums = new_sums(s);
    if (!sums) return 1;
    for (const struct branch *b = branches; b < branches + s->branches; b++)
        memcpy(b->mean, b->x, b->channels * sizeof *b->mean);
    if (s->training) pass_over(threads, MOMENTS, s, branches, NULL, NULL, sums);
    total(s, sums);
    for (const struct branch *b = branches; b < branches + s->branches; b++) take_moments(s, b, sums + b->start);
    memset(sums, 0, 2L * CHUNKS * s->channels * sizeof *sums);
    pass_over(threads, WRITE, s, branches, NULL, out, sums);
    total(s, sums);
    memcpy(moments, sums, 2L * s->channels * sizeof *sums);
    free(sums);
    return 0;
}

/* The gradients dx, dscale and dshift (of which any may be null) from that of out. */
int normalise_back(int threads, const struct cell *s, const struct branch *branches, const float *dy)
{
    double *sums = new_sums(s);
    if (!sums) return 1;
    pass_over(threads, GRADIENTS, s, branches, dy, NULL, sums);
    total(s, sums);
    for (const struct branch *b = branches; b < branches + s->branches; b++)
        for (int c = 0; c < b->channels; c++) {
            double sum = sums[b->start + c], product = sums[s->channels + b->start + c], inverse = b->inverse[c];
            if (b->dshift) b->dshift[c] = sum;
            if (b->dscale) b->dscale[c] = product * inverse;
            b->offset[c] = s->training ? sum / s->rows : 0;
            b->slope[c] = s->training ? product * inverse * inverse / s->rows : 0;
        }
    pass_over(threads, BACK, s, branches, dy, NULL, sums);
    free(sums);
    return 0;
}

/* Multiply n elements by 0 or 1 / keep. */
int drop(int threads, const struct dropout *d, const float *x, float *out, long n)
{
    long whole = n / USUAL;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        JOIN(drop, USUAL)(d, x, out, whole * chunk / CHUNKS * USUAL, whole * (chunk + 1) / CHUNKS * USUAL);
    drop_1(d, x, out, whole * USUAL, n);
    return 0;
}

/* Local response normalisation of rows, or with dy the gradient of x. */
int respond(int threads, const struct response *s, const float *x, const float *dy, float *out, long rows)
{
    const long block = 8; /* what has just been stored can be loaded unaligned only after a while: not row by row */
    long size = block * (2L * s->channels + 2 * s->radius);
    float *padded = calloc(CHUNKS * size, sizeof *padded);
    if (!padded) return 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (long from = rows * chunk / CHUNKS, end = rows * (chunk + 1) / CHUNKS; from < end; from += block) {
            long at = from * s->channels, n = end - from < block ? end - from : block;
            BY_WIDTH(respond, s->channels, s, x + at, dy ? dy + at : NULL, out + at, n, padded + chunk * size);
        }
    free(padded);
    return 0;
}

/* Images of a batch, each with lines and columns in an order of its own, as floats less the mean, times the inverse.

   `from` holds images of bytes, and `which` says where in it those of the batch are; rows (batch, height) and columns
   (batch, width) may lie outside: what is there counts as 0. */
int read_images(int threads, const struct images *s, const unsigned char *from, const long *which, const long *rows,
                const long *columns, const float *mean, const float *inverse, float *out)
{
    const int height = s->height, width = s->width, channels = s->channels;
    float(*values)[256] = malloc(channels * sizeof *values); /* what each byte becomes */
    if (!values) return 1;
    for (int c = 0; c < channels; c++)
        for (int byte = 0; byte < 256; byte++) values[c][byte] = (byte - mean[c]) * inverse[c];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int n = 0; n < s->count; n++) {
        const long *column = columns + (long)n * width;
        float *to = out + (long)n * height * width * channels;
        for (int y = 0; y < height; y++) {
            long row = rows[(long)n * height + y];
            int there = row >= 0 && row < height;
            const unsigned char *line = from + (which[n] * height + (there ? row : 0)) * width * channels;
            for (int x = 0; x < width; x++, to += channels) {
                int inside = there && column[x] >= 0 && column[x] < width;
                for (int c = 0; c < channels; c++)
                    to[c] = values[c][inside ? line[column[x] * channels + c] : 0];
            }
        }
    }
    free(values);
    return 0;
}

#ifdef __AVX512F__
#define W 16
#else
#define W USUAL
#endif
#include "thin.h"
