/* What PyTorch spends most of an EnvelopeNet's training on outside of matrix products, for CPUs and float32.

All images are in NHWC memory. Work is cut into parts that do not depend on the number of threads, and the sums of parts
are added in their order, so that results do not depend on it either. Functions return 0, or 1 if there is no memory.
*/

#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
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
#ifndef TILE
#define TILE 8      /* pixels of a tile: with the k taps they fill 16 registers */
#endif
#ifndef GATHERED
#define GATHERED (REGISTERS == 32 ? 8 : 4) /* pixels of a tile of the weights' gradient, which has n * k sums too */
#endif
#define FAR 32768   /* floats of an image from which on its lines are fetched ahead */
#define CHUNKS 16   /* parts that a batch is cut into */
#define BAND 32768  /* floats of the lines that the weights' gradient goes over several times */

/* Where a tile stands in its line. */
enum { INSIDE = 0, FIRST = 1, LAST = 2, WHOLE = 3, RAGGED = 4 };

struct images { int count, height, width, channels; };

INLINE int kind_of(int x0, int left, int t, int p)
{
    if (left < t || (left > t && left < t + p) || (x0 > 0 && x0 < p)) return RAGGED;
    return (x0 == 0 ? FIRST : INSIDE) | (left == t ? LAST : INSIDE);
}

INLINE int inside(const struct images *s, int y, int x) { return y >= 0 && y < s->height && x >= 0 && x < s->width; }

typedef float vec_16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float vec_8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vec_4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vec_1 __attribute__((vector_size(4), aligned(4), may_alias));

#ifdef __AVX512F__
#define W 16
#include "depthwise.h"
#undef W
#endif
#define W 8
#include "depthwise.h"
#undef W
#define W 4
#include "depthwise.h"
#undef W
#define W 1
#include "depthwise.h"
#undef W

/* Channels of a vector: the most of which no more than half a vector is computed twice. */
static int vector(int channels)
{
#ifdef __AVX512F__
    if (channels >= 16 && (channels + 15) / 16 * 16 - channels <= 8) return 16;
#endif
    return channels >= 8 ? 8 : channels >= 4 ? 4 : 1;
}

static long packed_size(int w, int channels, int k) { return (long)(channels + w - 1) / w * w * k * k; }

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

static void convolve(int w, const struct images *s, const float *x, const float *packed, float *out, int y, int k,
                     int add)
{
    switch (w) {
#ifdef __AVX512F__
        case 16: convolve_16(s, x, packed, out, y, k, add); break;
#endif
        case 8: convolve_8(s, x, packed, out, y, k, add); break;
        case 4: convolve_4(s, x, packed, out, y, k, add); break;
        default: convolve_1(s, x, packed, out, y, k, add);
    }
}

static void correlate(int w, const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k)
{
    switch (w) {
#ifdef __AVX512F__
        case 16: correlate_16(s, x, dy, to, y0, y1, k); break;
#endif
        case 8: correlate_8(s, x, dy, to, y0, y1, k); break;
        case 4: correlate_4(s, x, dy, to, y0, y1, k); break;
        default: correlate_1(s, x, dy, to, y0, y1, k);
    }
}

/* Convolve each of the `kernels` inputs x, or one and the same, with its weight (channels, k, k): forward into its out;
   `turned`, as the gradient of the input, into the one out, summed. */
int depthwise(int threads, const struct images *s, int kernels, const int *k, const float *const *x,
              const float *const *weight, float *const *out, int turned)
{
    int w = vector(s->channels);
    long image = (long)s->height * s->width * s->channels, size = 0, start[kernels];
    for (int m = 0; m < kernels; m++) start[m] = size, size += packed_size(w, s->channels, k[m]);
    float *packed = malloc(size * sizeof *packed);
    if (!packed) return 1;
    for (int m = 0; m < kernels; m++) pack(weight[m], packed + start[m], w, s->channels, k[m], turned, turned && m);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long line = 0; line < (long)s->count * s->height; line++)
        for (int m = 0; m < kernels; m++) {
            long at = line / s->height * image;
            convolve(w, s, x[turned ? m : 0] + at, packed + start[m], out[turned ? 0 : m] + at, line % s->height, k[m],
                     turned && m);
        }
    free(packed);
    return 0;
}

/* The gradients dw (channels, k, k) of the weights of kernels that read x, from those of their outputs. */
int depthwise_weights(int threads, const struct images *s, int kernels, const int *k, const float *x,
                      const float *const *dy, float *const *dw)
{
    int w = vector(s->channels), chunks = s->count < CHUNKS ? s->count : CHUNKS;
    long line = (long)s->width * s->channels, image = line * s->height, size = 0, start[kernels];
    for (int m = 0; m < kernels; m++) start[m] = size, size += packed_size(w, s->channels, k[m]);
    float *sums = calloc(size * chunks, sizeof *sums);
    if (!sums) return 1;
    int band = line < BAND ? BAND / line : 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < chunks; chunk++)
        for (long i = (long)s->count * chunk / chunks; i < (long)s->count * (chunk + 1) / chunks; i++)
            for (int y = 0; y < s->height; y += band)
                for (int m = 0; m < kernels; m++)
                    correlate(w, s, x + i * image, dy[m] + i * image, sums + chunk * size + start[m], y,
                              y + band < s->height ? y + band : s->height, k[m]);
    for (int chunk = 1; chunk < chunks; chunk++)
        for (long i = 0; i < size; i++) sums[i] += sums[chunk * size + i];
    for (int m = 0; m < kernels; m++) {
        const float *sum = sums + start[m];
        for (int c = 0; c < s->channels; c += w)
            for (int tap = 0; tap < k[m] * k[m]; tap++)
                for (int lane = 0; lane < w; lane++)
                    dw[m][(long)((c + w > s->channels ? s->channels - w : c) + lane) * k[m] * k[m] + tap] = *sum++;
    }
    free(sums);
    return 0;
}
