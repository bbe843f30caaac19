/* Depthwise convolution of images in NHWC memory by vectors of W channels: included once for every W.

A tile of `t` neighbouring pixels is kept in registers, so that a row of taps loads t + k - 1 vectors of input for
t * k multiply-adds. Channels that no whole vector is left for are computed by a vector that ends with the last channel:
it repeats some of the one before. Weights are packed by blocks, (block, k, k, W), so that a block's lie side by side.

What comes next is fetched in the order of memory, a share with every tile: the tiles' own order, a vector of every
pixel, is one that the hardware does not foresee.
*/

/* Column j of a tile's input is inside the line; only its edges and ragged tiles have to ask. */
#define REACHES(j) (ragged ? x0 - p + (j) >= 0 && x0 - p + (j) < width \
                           : !((j) < p && (edges & FIRST)) && !((j) >= t + p && (edges & LAST)))

/* Write, or add to, one tile. `x` is the input under its first tap; taps above `top` and from `bottom` on are outside
   the image. */
INLINE void NAME(tile)(const float *x, const float *w, float *out, long pixel, long line, int k, int t, int top,
                       int bottom, int ragged, int edges, int x0, int width, int add)
{
    VEC sum[TILE];
    int p = k / 2;
    UNROLL for (int i = 0; i < t; i++)
        sum[i] = add && (!ragged || x0 + i < width) ? LOAD(out + i * pixel) : (VEC){0};
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
        if (!ragged || x0 + i < width) STORE(out + i * pixel, sum[i]);
}

/* Line `y` of an image, of which x and out are the first elements. */
INLINE void NAME(line)(const struct images *s, const float *x, const float *packed, float *out, int y, int k, int add)
{
    int p = k / 2, top = y < p ? p - y : 0, bottom = s->height - y + p < k ? s->height - y + p : k, width = s->width;
    long pixel = s->channels, line = pixel * width, share = share_of(s, W, TILE);
    const float *next_x = x + (y + p + 1) * line, *next_out = out + (y + 1) * line;
    x += (y - p) * line - p * pixel;
    out += y * line;
    for (int x0 = 0; x0 < width; x0 += TILE) {
        int left = width - x0, edges = edges_of(x0, left, TILE, p);
        for (int c = 0, block = 0; c < s->channels; c += W, block++, next_x += share, next_out += share) {
            long at = x0 * pixel + (c + W > s->channels ? s->channels - W : c);
            const float *w = packed + (long)block * k * k * W;
            fetch(next_x, share), fetch(next_out, share);
#define TILED(t, ragged, edges) \
    NAME(tile)(x + at, w, out + at, pixel, line, k, t, top, bottom, ragged, edges, x0, width, add)
            if (edges != RAGGED) TILED(TILE, 0, edges);
            else if (left > TILE / 2) TILED(TILE, 1, RAGGED);
            else TILED(TILE / 2, 1, RAGGED);
#undef TILED
        }
    }
}

/* Add one tile's part of the sums of n rows of taps, of which those below `lowest` and from `highest` on are outside
   the image. */
INLINE void NAME(gather_tile)(VEC *sum, const float *x, const float *dy, long pixel, long line, int k, int n, int t,
                              int lowest, int highest, int ragged, int edges, int x0, int width)
{
    VEC g[GATHERED];
    int p = k / 2;
    UNROLL for (int i = 0; i < t; i++) g[i] = !ragged || x0 + i < width ? LOAD(dy + i * pixel) : (VEC){0};
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

/* Add to `to` the weights' gradient of n rows of taps from ky on, over lines y0 to y1 of an image, for one block. */
INLINE void NAME(gather)(const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k,
                         int ky, int n, int block)
{
    int p = k / 2, width = s->width, tiles = (width + GATHERED - 1) / GATHERED;
    long pixel = s->channels, line = pixel * width, share = share_of(s, W, GATHERED);
    long at = (block + 1) * W > s->channels ? s->channels - W : block * W;
    VEC sum[3 * 7];
    UNROLL for (int i = 0; i < n * k; i++) sum[i] = (VEC){0};
    for (int y = y0; y < y1; y++) {
        int from_y = y + ky - p, lowest = -from_y, highest = s->height - from_y;
        const float *from = x + from_y * line - p * pixel + at, *g = dy + y * line + at;
        if (highest <= 0 || lowest >= n) continue;
        long next = y1 * line + ((long)block * (y1 - y0) + y - y0) * tiles * share; /* in the next band */
        for (int x0 = 0; x0 < width; x0 += GATHERED, next += share) {
            if (ky == 0) fetch(x + next, share), fetch(dy + next, share);
            int edges = edges_of(x0, width - x0, GATHERED, p);
#define TILED(ragged, edges) NAME(gather_tile)(sum, from + x0 * pixel, g + x0 * pixel, pixel, line, k, n, GATHERED, \
                                               lowest, highest, ragged, edges, x0, width)
            if (edges != RAGGED) TILED(0, edges);
            else TILED(1, RAGGED);
#undef TILED
        }
    }
    to += ((long)block * k * k + ky * k) * W;
    UNROLL for (int i = 0; i < n * k; i++) STORE(to + i * W, LOAD(to + i * W) + sum[i]);
}
#undef REACHES

static void NAME(convolve)(const struct images *s, const float *x, const float *packed, float *out, int y, int k,
                           int add)
{
    switch (k) {
        case 3: NAME(line)(s, x, packed, out, y, 3, add); break;
        case 5: NAME(line)(s, x, packed, out, y, 5, add); break;
        case 7: NAME(line)(s, x, packed, out, y, 7, add); break;
    }
}

/* Add to `to` (block, k, k, W) the weights' gradient of lines y0 to y1 of an image. */
static void NAME(correlate)(const struct images *s, const float *x, const float *dy, float *to, int y0, int y1, int k)
{
#define ROWS(k, ky, n) NAME(gather)(s, x, dy, to, y0, y1, k, ky, n, block)
    for (int block = 0; block * W < s->channels; block++)
        switch (k) {
#if REGISTERS >= 32
            case 3: ROWS(3, 0, 3); break;
            case 5: ROWS(5, 0, 3); ROWS(5, 3, 2); break;
            case 7: for (int ky = 0; ky < 6; ky += 2) ROWS(7, ky, 2); ROWS(7, 6, 1); break;
#else
            case 3: ROWS(3, 0, 3); break;
            case 5: for (int ky = 0; ky < 4; ky += 2) ROWS(5, ky, 2); ROWS(5, 4, 1); break;
            case 7: for (int ky = 0; ky < 7; ky++) ROWS(7, ky, 1); break;
#endif
        }
#undef ROWS
}
