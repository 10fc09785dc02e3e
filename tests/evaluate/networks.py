"""Networks built by hand, whose Grad-CAM maps are known."""

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import SwinTransformer, VisionTransformer

from riqa.learn.model import QualityNet


def net(backbone="resnet10", side=64, n_details=0):
    return QualityNet(backbone, n_overall=3, n_details=n_details, image_size=side).eval()


def on_backbone(backbone, n_features):
    """Return a network of three classes on a backbone of the test's own, which is called vit_tiny."""
    model = net(side=32)
    model.architecture["backbone"] = "vit_tiny"
    model.backbone, model.heads["overall"] = backbone, nn.Linear(n_features, 3)
    return model.eval()


def normalised(model, images):
    return (images - model.mean) / model.std


def vit_of(patch, layers):
    vit = VisionTransformer(32, patch, num_layers=layers, num_heads=2, hidden_dim=16, mlp_dim=32)
    vit.heads = nn.Identity()
    return vit.eval()


def swin_of(depths):
    swin = SwinTransformer([4, 4], 16, depths=depths, num_heads=[2, 2], window_size=[4, 4])
    swin.head = nn.Identity()
    return swin.eval()


class Of(nn.Module):
    """A layer that is a plain function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


CELLS = Of(lambda images: functional.avg_pool2d(images, 4).permute(0, 2, 3, 1))  # mean colours, channels last
PATCHES = Of(lambda cells: cells.flatten(1, 2))
CLASS_TOKEN = Of(lambda tokens: functional.pad(tokens, (0, 0, 1, 0)))
ONE_LOOK = Of(lambda tokens: tokens + tokens.mean(dim=1, keepdim=True))  # of each token at all others
FIRST, MEAN = Of(lambda tokens: tokens[:, 0]), Of(lambda cells: cells.flatten(1, -2).mean(dim=1))
LAYOUTS = {  # as transformers would lay out an image of 8 x 8 cells, which are 4 x 4 pixels each
    "channels first": (nn.AvgPool2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "channels last": (CELLS, MEAN),
    "patches": (CELLS, PATCHES, MEAN),
    "class token": (CELLS, PATCHES, CLASS_TOKEN, ONE_LOOK, nn.Identity(), FIRST),  # all that is used at last
}


def spot_net(layout="channels first"):
    """Return a network built by hand: red is class 0 and bad clarity, green class 1 and bad illumination."""
    model = QualityNet("resnet10", n_overall=2, n_details=3, image_size=32)
    model.backbone = nn.Sequential(*LAYOUTS[layout])
    model.heads["overall"], model.heads["details"] = nn.Linear(3, 2), nn.Linear(3, 3)
    with torch.no_grad():
        model.heads["overall"].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
        model.heads["details"].weight.copy_(torch.tensor([[0, -1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]]))
    model.mean.zero_()
    model.std.fill_(1)
    return model.eval()


def spots():
    """Return two images: red upper left and green lower right; then the other way round."""
    images = torch.full((2, 3, 32, 32), 0.2)
    images[0, 0, 4:8, 4:8] = images[1, 1, 4:8, 4:8] = 1
    images[0, 1, 24:28, 20:24] = images[1, 0, 24:28, 20:24] = 1
    return images
