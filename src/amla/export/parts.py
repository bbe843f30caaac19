"""Modules that plain PyTorch lacks, as the source that an exported file gets, if it needs them."""

PARTS = {
    "HalfAffineNorm": '''
class HalfAffineNorm(nn.Module):
    """Batch normalisation that scales, or shifts, but does not do both."""

    def __init__(self, channels, scale, shift, eps, momentum):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if scale else None
        self.bias = nn.Parameter(torch.zeros(channels)) if shift else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, self.training, self.momentum, self.eps)
''',
    "ResponseNorm": '''
class ResponseNorm(nn.Module):
    """x / (bias + alpha * sum of squares over neighbouring channels) ** beta; alpha is not divided by the window."""

    def __init__(self, channels, radius, alpha, beta, bias):
        super().__init__()
        place = torch.arange(channels)
        band = ((place[:, None] - place[None, :]).abs() <= radius).float()
        self.register_buffer("band", band, persistent=False)
        self.alpha, self.beta, self.bias = alpha, beta, bias

    def forward(self, x):
        sums = torch.matmul(self.band, (x * x).flatten(2) if x.ndim > 2 else (x * x).unsqueeze(2)).reshape(x.shape)
        return x * (self.bias + self.alpha * sums) ** -self.beta
''',
    "DropPath": '''
class DropPath(nn.Module):
    """In training, drops all of an example with probability `rate * done`, and divides what is kept by 1 - that.

    `done` is how much of a training is over, from 0 to 1; the training of this network moved it on at every step.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate, self.done = rate, 1.0

    def forward(self, x):
        keep = 1 - self.rate * self.done
        if not self.training or keep == 1:
            return x
        return x * x.new_empty((x.shape[0], *(1 for _ in x.shape[1:]))).bernoulli_(keep).div_(keep)
''',
    "MeanPool": '''
class MeanPool(nn.Module):
    """The mean of every window, in which padding takes no part."""

    def __init__(self, channels, kernel, stride, dilation, near, far):
        super().__init__()
        self.register_buffer("ones", torch.ones(channels, 1, *kernel), persistent=False)
        self.settings = dict(stride=stride, padding=near, dilation=dilation)
        self.far = far

    def forward(self, x):
        return self._sum(x) / self._sum(torch.ones_like(x))

    def _sum(self, x):
        convolve = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
        return convolve(F.pad(x, self.far) if self.far else x, self.ones, groups=len(self.ones), **self.settings)
''',
}
