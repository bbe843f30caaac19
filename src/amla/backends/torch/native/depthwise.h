/* Depthwise convolution of images in NHWC memory by vectors of W channels: included once for every W.

A tile of `t` neighbouring pixels is kept in registers, so that a row of taps loads t + k - 1 vectors of input for
t * k multiply-adds. Channels that no whole vector is left for are computed by a vector that ends with the last channel:
it repeats some of the one before. Weights are packed by blocks, (block, k, k, W), so that a block's lie side by side.
*/

#if W >= 8
/* Column j of a tile's input is inside the line; but for RAGGED tiles that is known when this is compiled. */
#define REACHES(j) (kind == RAGGED ? x0 - p + (j) >= 0 && x0 - p + (j) < width \
                                   : !((kind & FIRST) && (j) < p) && !((kind & LAST) && (j) >= t + p))

/* Write, or add to, one tile. `x` is the input under its first tap; taps above `top` and from `bottom` on are outside
   the image. */
INLINE void NAME(tile)(const float *x, const float *w, float *out, long pixel, long line, int k, int t, int top,
                       int bottom, int kind, int x0, int width, int add)
{
    VEC sum[TILE];
    int p = k / 2;
    UNROLL for (int i = 0; i < t; i++)
        sum[i] = add && (kind != RAGGED || x0 + i < width) ? LOAD(out + i * pixel) : (VEC){0};
    for (int ky = top; ky < bottom; ky++) {
        VEC tap[7];
        UNROLL for (int kx = 0; kx < k; kx++) tap[kx] = LOAD(w + (ky * k + kx) * W);
        const float *from = x + ky * line;
        UNROLL for (int j = 0; j < t + k - 1; j++) {
            if (!REACHES(j)) continue;
            VEC v = LOAD(from + j * pixel);
            UNROLL for (int kx = 0; kx < k; kx++)
                if (j - kx >= 0 && j - kx < t) sum[j - kx] += v * tap[kx];
        }
    }
    UNROLL for (int i = 0; i < t; i++)
        if (kind != RAGGED || x0 + i < width) STORE(out + i * pixel, sum[i]);
}

/* Line `y` of an image, of which x and out are the first elements. */
INLINE void NAME(line)(const struct images *s, const float *x, const float *packed, float *out, int y, int k, int add)
{
    int p = k / 2, top = y < p ? p - y : 0, bottom = s->height - y + p < k ? s->height - y + p : k, width = s->width;
    long pixel = s->channels, line = pixel * width;
    int ahead = line * s->height >= FAR && y + k - p < s->height;
    x += (y - p) * line - p * pixel;
    out += y * line;
    for (int x0 = 0; x0 < width; x0 += TILE) {
        int left = width - x0, kind = kind_of(x0, left, TILE, p);
        for (int c = 0, block = 0; c < s->channels; c += W, block++) {
            long at = x0 * pixel + (c + W > s->channels ? s->channels - W : c);
            const float *w = packed + (long)block * k * k * W;
            if (ahead && kind != RAGGED) /* lines of other images lie between: the hardware does not foresee the next */
                for (int i = 0; i < TILE; i++) {
                    __builtin_prefetch(x + at + k * line + (i + p) * pixel);
                    __builtin_prefetch(out + at + line + i * pixel, 1);
                }
#define TILED(t, kind) NAME(tile)(x + at, w, out + at, pixel, line, k, t, top, bottom, kind, x0, width, add)
            switch (kind) {
                case INSIDE: TILED(TILE, INSIDE); break;
                case FIRST: TILED(TILE, FIRST); break;
                case LAST: TILED(TILE, LAST); break;
                case WHOLE: TILED(TILE, WHOLE); break;
                default: if (left > TILE / 2) TILED(TILE, RAGGED); else TILED(TILE / 2, RAGGED);
            }
#undef TILED
        }
    }
}

/* Add one tile's part of the sums of n rows of taps, of which those below `lowest` and from `highest` on are outside
   the image. */
INLINE void NAME(gather_tile)(VEC *sum, const float *x, const float *dy, long pixel, long line, int k, int n, int t,
                              int lowest, int highest, int kind, int x0, int width)
{
    VEC g[GATHERED];
    int p = k / 2;
    UNROLL for (int i = 0; i < t; i++)
        g[i] = kind != RAGGED || x0 + i < width ? LOAD(dy + i * pixel) : (VEC){0};
    UNROLL for (int i = 0; i < n; i++) {
        if (i < lowest || i >= highest) continue;
        UNROLL for (int j = 0; j < t + k - 1; j++) {
            if (!REACHES(j)) continue;
            VEC v = LOAD(x + i * line + j * pixel);
            UNROLL for (int kx = 0; kx < k; kx++)
                if (j - kx >= 0 && j - kx < t) sum[i * k + kx] += v * g[j - kx];
        }
    }
}

/* Add to `to` the weights' gradient of n rows of taps from ky on, over lines y0 to y1 of an image. */
INLINE void NAME(gather)(const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k,
                         int ky, int n)
{
    int p = k / 2, width = s->width;
    long pixel = s->channels, line = pixel * width;
    VEC sum[3 * 7];
    UNROLL for (int i = 0; i < n * k; i++) sum[i] = (VEC){0};
    for (int y = y0; y < y1; y++) {
        int from_y = y + ky - p, lowest = -from_y, highest = s->height - from_y;
        const float *from = x + from_y * line - p * pixel, *g = dy + y * line;
        if (highest <= 0 || lowest >= n) continue;
        for (int x0 = 0; x0 < width; x0 += GATHERED) {
#define TILED(kind) NAME(gather_tile)(sum, from + x0 * pixel, g + x0 * pixel, pixel, line, k, n, GATHERED, lowest, \
                                      highest, kind, x0, width)
            switch (kind_of(x0, width - x0, GATHERED, p)) {
                case INSIDE: TILED(INSIDE); break;
                case FIRST: TILED(FIRST); break;
                case LAST: TILED(LAST); break;
                case WHOLE: TILED(WHOLE); break;
                default: TILED(RAGGED);
            }
#undef TILED
        }
    }
    to += ky * k * W;
    UNROLL for (int i = 0; i < n * k; i++) STORE(to + i * W, LOAD(to + i * W) + sum[i]);
}
#undef REACHES
#endif

/* As `line`, for any k. */
static void NAME(any_line)(const struct images *s, const float *x, const float *packed, float *out, int y, int k,
                           int add)
{
    int p = k / 2;
    long pixel = s->channels, line = pixel * s->width;
    for (int x0 = 0; x0 < s->width; x0++)
        for (int c = 0, block = 0; c < s->channels; c += W, block++) {
            long at = x0 * pixel + (c + W > s->channels ? s->channels - W : c);
            const float *w = packed + (long)block * k * k * W;
            VEC sum = add ? LOAD(out + y * line + at) : (VEC){0};
            for (int ky = 0; ky < k; ky++)
                for (int kx = 0; kx < k; kx++)
                    if (inside(s, y + ky - p, x0 + kx - p))
                        sum += LOAD(x + (y + ky - p) * line + (kx - p) * pixel + at) * LOAD(w + (ky * k + kx) * W);
            STORE(out + y * line + at, sum);
        }
}

/* As `gather`, for one tap and any k. */
static void NAME(any_gather)(const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k,
                             int ky, int kx)
{
    int p = k / 2;
    long pixel = s->channels, line = pixel * s->width;
    VEC sum = {0};
    for (int y = y0; y < y1; y++)
        for (int x0 = 0; x0 < s->width; x0++)
            if (inside(s, y + ky - p, x0 + kx - p))
                sum += LOAD(x + (y + ky - p) * line + (x0 + kx - p) * pixel) * LOAD(dy + y * line + x0 * pixel);
    to += (ky * k + kx) * W;
    STORE(to, LOAD(to) + sum);
}

static void NAME(convolve)(const struct images *s, const float *x, const float *packed, float *out, int y, int k,
                           int add)
{
#if W >= 8
    switch (add ? -k : k) {
        case 3: NAME(line)(s, x, packed, out, y, 3, 0); return;
        case 5: NAME(line)(s, x, packed, out, y, 5, 0); return;
        case 7: NAME(line)(s, x, packed, out, y, 7, 0); return;
        case -3: NAME(line)(s, x, packed, out, y, 3, 1); return;
        case -5: NAME(line)(s, x, packed, out, y, 5, 1); return;
        case -7: NAME(line)(s, x, packed, out, y, 7, 1); return;
    }
#endif
    NAME(any_line)(s, x, packed, out, y, k, add);
}

/* Add to `to` (block, k, k, W) the weights' gradient of lines y0 to y1 of an image. */
static void NAME(correlate)(const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k)
{
    for (int c = 0; c < s->channels; c += W, to += k * k * W) {
        int at = c + W > s->channels ? s->channels - W : c;
#define ROWS(k, ky, n) NAME(gather)(s, x + at, dy + at, to, y0, y1, k, ky, n)
#if W >= 8 && REGISTERS >= 32
        switch (k) {
            case 3: ROWS(3, 0, 3); continue;
            case 5: ROWS(5, 0, 3); ROWS(5, 3, 2); continue;
            case 7: for (int ky = 0; ky < 6; ky += 2) ROWS(7, ky, 2); ROWS(7, 6, 1); continue;
        }
#elif W >= 8
        switch (k) {
            case 3: ROWS(3, 0, 3); continue;
            case 5: for (int ky = 0; ky < 4; ky += 2) ROWS(5, ky, 2); ROWS(5, 4, 1); continue;
            case 7: for (int ky = 0; ky < 7; ky++) ROWS(7, ky, 1); continue;
        }
#endif
#undef ROWS
        for (int tap = 0; tap < k * k; tap++)
            NAME(any_gather)(s, x + at, dy + at, to, y0, y1, k, tap / k, tap % k);
    }
}
