/* Convolutions of images in NHWC memory to few outputs, included once. Libraries compute outputs by whole vectors, of
which ten leave a third idle; here vectors are of pixels, or of inputs, and nothing is.

Two vectors and n outputs, up to FEW, make a tile of 2 n sums in registers, to which every step adds the products of two
vectors and n numbers. Outputs are cut into groups of nearly the same n.
*/

typedef int places_4 __attribute__((vector_size(16)));
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (places_4){__VA_ARGS__})
#endif
#define FEW (REGISTERS == 32 ? 12 : 6)
#define PLANES 32768 /* floats of the lines that are computed together: half a small L2 cache */

/* Call f with n as a constant. */
#define OF_FEW(f, n, ...) \
    switch (n) { \
        case 2: f(__VA_ARGS__, 2); break; \
        case 3: f(__VA_ARGS__, 3); break; \
        case 4: f(__VA_ARGS__, 4); break; \
        case 5: f(__VA_ARGS__, 5); break; \
        case 6: f(__VA_ARGS__, 6); break; \
        OF_MORE(f, __VA_ARGS__) \
    }
#if REGISTERS == 32
#define OF_MORE(f, ...) \
        case 7: f(__VA_ARGS__, 7); break; \
        case 8: f(__VA_ARGS__, 8); break; \
        case 9: f(__VA_ARGS__, 9); break; \
        case 10: f(__VA_ARGS__, 10); break; \
        case 11: f(__VA_ARGS__, 11); break; \
        case 12: f(__VA_ARGS__, 12); break;
#else
#define OF_MORE(f, ...)
#endif

/* Where group `part` of several begins. */
static int first_of(int outputs, int part, int parts) { return (int)((long)outputs * part / parts); }

/* Lines of an image as planes, one for each input. There are k / 2 zeros between lines, so that what a tap looks at is at
   a distance that is the same for every pixel. */
struct planes { long line, plane; float *at; };

/* Write a line (width, inputs) into all planes from `at` on: four pixels of four inputs at a time. */
static void turn(const struct images *s, const float *x, const struct planes *t, float *at)
{
    long in = s->channels, plane = t->plane;
    for (int x0 = 0; x0 < s->width; x0 += 4)
        for (int c = 0; c < in; c += 4) {
            int left = x0 + 4 > s->width ? s->width - 4 : x0, first = c + 4 > in ? in - 4 : c;
            const float *from = x + left * in + first;
            float *to = at + first * plane + left;
#define LINE(i) (*(const vec_4 *)(from + (i) * in))
            vec_4 a = SHUFFLE(LINE(0), LINE(1), 0, 4, 1, 5), b = SHUFFLE(LINE(0), LINE(1), 2, 6, 3, 7);
            vec_4 c = SHUFFLE(LINE(2), LINE(3), 0, 4, 1, 5), d = SHUFFLE(LINE(2), LINE(3), 2, 6, 3, 7);
#undef LINE
            *(vec_4 *)to = SHUFFLE(a, c, 0, 1, 4, 5);
            *(vec_4 *)(to + plane) = SHUFFLE(a, c, 2, 3, 6, 7);
            *(vec_4 *)(to + 2 * plane) = SHUFFLE(b, d, 0, 1, 4, 5);
            *(vec_4 *)(to + 3 * plane) = SHUFFLE(b, d, 2, 3, 6, 7);
        }
}

/* Compute n outputs of the W pixels under whose first tap x is, and of W that are `further`, into sums (2, n, W). */
INLINE void few(const struct planes *t, const float *x, long further, const float *w, int in, int k, float *sums, int n)
{
    VEC a[FEW], b[FEW];
    UNROLL for (int i = 0; i < n; i++) a[i] = b[i] = (VEC){0};
    for (int ky = 0; ky < k; ky++) {
        const float *from = x + ky * t->line;
        for (int c = 0; c < in; c++, from += t->plane)
            for (int kx = 0; kx < k; kx++, w += n) {
                VEC v = LOAD(from + kx), u = LOAD(from + kx + further);
                UNROLL for (int i = 0; i < n; i++) a[i] += v * w[i], b[i] += u * w[i];
            }
    }
    UNROLL for (int i = 0; i < n; i++) STORE(sums + W * i, a[i]), STORE(sums + W * (n + i), b[i]);
}

/* Write n outputs of the W pixels from `from` on that are pixels of one of the lines, not zeros between. */
static void put(const struct images *s, const struct planes *t, long from, long lines, const float *sums, float *out,
                int outputs, int n)
{
    long y = from / t->line, x = from % t->line;
    for (int lane = 0; lane < W; lane++) {
        if (x < s->width && y < lines)
            for (int i = 0; i < n; i++) out[(y * s->width + x) * outputs + i] = sums[i * W + lane];
        if (++x == t->line) x = 0, y++;
    }
}

/* Compute lines of one image, from y0 on, by the packed weights. */
static void thin_lines(const struct images *s, const struct planes *t, int outputs, int k, const float *x,
                       const float *w, float *out, long y0, long lines)
{
    int p = k / 2, in = s->channels, parts = (outputs + FEW - 1) / FEW, even = s->width % W == 0;
    for (long y = y0 - p; y < y0 + lines + p; y++) {
        float *at = t->at + (y - y0 + p) * t->line + p;
        if (y >= 0 && y < s->height) turn(s, x + y * s->width * in, t, at);
        else for (int c = 0; c < in; c++) memset(at + c * t->plane, 0, s->width * sizeof *at);
    }
    out += y0 * s->width * outputs;
    for (int part = 0, first = 0, n; part < parts; part++, first += n, w += (long)n * in * k * k) {
        n = first_of(outputs, part + 1, parts) - first;
        long pixels = lines * (even ? s->width : t->line);
        for (long i = 0; i < pixels; i += 2 * W) {
            float sums[2 * FEW * W];
            long a = i, b = i + W < pixels ? i + W : i;
            if (even) a += a / s->width * p, b += b / s->width * p; /* no vector has zeros in it */
            OF_FEW(few, n, t, t->at + a, b - a, w, in, k, sums)
            put(s, t, a, lines, sums, out + first, outputs, n);
            put(s, t, b, lines, sums + n * W, out + first, outputs, n);
        }
    }
}

/* Convolve x with weight (outputs, inputs, k, k), padded to keep the size. */
int thin(int threads, const struct images *s, int outputs, int k, const float *x, const float *weight, float *out)
{
    int p = k / 2, parts = (outputs + FEW - 1) / FEW, in = s->channels;
    long line = s->width + p, band = PLANES / (in * line) - 2 * p, size = (long)outputs * in * k * k;
    band = band > s->height ? s->height : band < 2 ? 2 : band;
    long plane = (band + 2 * p) * line + 2 * p + 2 * W;
    float *packed = calloc(size + threads * in * plane, sizeof *packed), *w = packed;
    if (!packed) return 1;
    for (int part = 0; part < parts; part++)
        for (int ky = 0; ky < k; ky++)
            for (int c = 0; c < in; c++)
                for (int kx = 0; kx < k; kx++)
                    for (int o = first_of(outputs, part, parts); o < first_of(outputs, part + 1, parts); o++)
                        *w++ = weight[((long)o * in + c) * k * k + ky * k + kx];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int thread = 0; thread < threads; thread++) {
        struct planes t = {line, plane, packed + size + thread * in * plane};
        for (long i = (long)s->count * thread / threads; i < (long)s->count * (thread + 1) / threads; i++)
            for (long y = 0, pixels = (long)s->height * s->width; y < s->height; y += band)
                thin_lines(s, &t, outputs, k, x + i * pixels * in, packed, out + i * pixels * outputs, y,
                           y + band < s->height ? band : s->height - y);
    }
    free(packed);
    return 0;
}

/* Add to `to` (n, 2 W) what the weights of one tap, n outputs and 2 W inputs get from lines y0 to y1 of an image. */
INLINE void few_weights(const struct images *s, const float *x, const float *dy, int outputs, int y0, int y1, int k,
                        int tap, float *to, int n)
{
    VEC a[FEW], b[FEW];
    UNROLL for (int i = 0; i < n; i++) a[i] = b[i] = (VEC){0};
    int up = tap / k - k / 2, across = tap % k - k / 2; /* where the tap looks, from an output's pixel */
    int left = across < 0 ? -across : 0, right = across > 0 ? s->width - across : s->width;
    y0 = y0 + up < 0 ? -up : y0;
    y1 = y1 + up > s->height ? s->height - up : y1;
    for (int y = y0; y < y1; y++) {
        const float *v = x + ((long)(y + up) * s->width + left + across) * s->channels;
        const float *g = dy + ((long)y * s->width + left) * outputs;
        for (int i = left; i < right; i++, v += s->channels, g += outputs) {
            VEC one = LOAD(v), two = LOAD(v + W);
            UNROLL for (int o = 0; o < n; o++) a[o] += one * g[o], b[o] += two * g[o];
        }
    }
    UNROLL for (int i = 0; i < 2 * n; i++) STORE(to + W * i, LOAD(to + W * i) + (i % 2 ? b : a)[i / 2]);
}

/* The gradient dw (outputs, inputs, k, k) of the weight, from that of the output. */
int thin_weights(int threads, const struct images *s, int outputs, int k, const float *x, const float *dy, float *dw)
{
    int parts = (outputs + FEW - 1) / FEW, in = s->channels, chunks = s->count < CHUNKS ? s->count : CHUNKS;
    int band = (int)(BAND / ((long)(in + outputs) * s->width)) + 1, blocks = (in + 2 * W - 1) / (2 * W);
    long size = (long)blocks * k * k * outputs * 2 * W, line = s->width, steps = blocks * k * k * parts;
    long share = band * line * in / steps + 1, share_of_dy = band * line * outputs / steps + 1;
    float *sums = calloc(chunks * size, sizeof *sums);
    if (!sums) return 1;
#define FIRST_OF_BLOCK ((block + 1) * 2 * W > in ? in - 2 * W : block * 2 * W)
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int chunk = 0; chunk < chunks; chunk++)
        for (long i = (long)s->count * chunk / chunks; i < (long)s->count * (chunk + 1) / chunks; i++)
            for (int y0 = 0, y1; y0 < s->height; y0 = y1) {
                y1 = y0 + band < s->height ? y0 + band : s->height;
                const float *v = x + i * s->height * line * in, *next = v + y1 * line * in;
                const float *g = dy + i * s->height * line * outputs, *next_of_dy = g + y1 * line * outputs;
                float *to = sums + chunk * size;
                for (int tap = 0; tap < k * k; tap++)
                    for (int block = 0; block < blocks; block++)
                        for (int part = 0, first = 0, n; part < parts; part++, first += n, to += 2 * W * n) {
                            n = first_of(outputs, part + 1, parts) - first;
                            fetch(next, share), fetch(next_of_dy, share_of_dy);
                            next += share, next_of_dy += share_of_dy;
                            OF_FEW(few_weights, n, s, v + FIRST_OF_BLOCK, g + first, outputs, y0, y1, k, tap, to)
                        }
            }
    for (int chunk = 1; chunk < chunks; chunk++)
        for (long i = 0; i < size; i++) sums[i] += sums[chunk * size + i];
    const float *sum = sums;
    for (int tap = 0; tap < k * k; tap++)
        for (int block = 0; block < blocks; block++)
            for (int o = 0; o < outputs; o++)
                for (int lane = 0; lane < 2 * W; lane++)
                    dw[((long)o * in + FIRST_OF_BLOCK + lane) * k * k + tap] = *sum++;
#undef FIRST_OF_BLOCK
    free(sums);
    return 0;
}
