"""What the publishers of sets say: how many images of which class, in which article, under which licence."""

COUNTS = {
    "eyeq": {
        "train": {"good": 8347, "usable": 1876, "reject": 2320, "all": 12543},
        "test": {"good": 8471, "usable": 4558, "reject": 3220, "all": 16249},
    },
    "eyeq_d": {"test": {"reject": 33, "usable": 49, "good": 78, "all": 160}},
    "mshf": {"train": {"all": 642}, "test": {"all": 160}},
    "deepdrid": {
        "train": {"bad": 624, "good": 576, "all": 1200},
        "val": {"bad": 218, "good": 182, "all": 400},
        "test": {"bad": 220, "good": 180, "all": 400},
    },
    "fives": {"train": {"all": 600}, "test": {"all": 200}},
}
"""Set -> split -> class, or `all` -> images.

Counted from the label files (EyeQ's page prints 1,896 for usable in train, a typo), except MSHF (section 3.1
of the paper) and FIVES (its article), of which classes were not published.
"""

CALLED_BAD = {
    "reject": {"illumination": 32, "clarity": 27, "contrast": 29},
    "usable": {"illumination": 44, "clarity": 9, "contrast": 22},
    "good": {"illumination": 30, "clarity": 3, "contrast": 4},
}
"""How many photographs of each overall class the panels of EyeQ-D call bad in each detail.

Counted from the label file. As shares of `COUNTS` they are the nine numbers that can set a Teacher's level.
"""

BY_DR_GRADE = {
    "train": {
        "good": (6342, 699, 1100, 167, 39),
        "usable": (1353, 103, 283, 79, 58),
        "reject": (1544, 109, 426, 87, 154),
    },
    "test": {
        "good": (5967, 886, 1354, 199, 65),
        "usable": (3200, 359, 721, 145, 133),
        "reject": (2195, 153, 569, 104, 199),
    },
}
"""EyeQ: split -> class -> photographs of each grade of diabetic retinopathy, 0 (none) to 4 (proliferative).

Counted from the label files, whose column `DR_grade` is that of the EyePACS competition.
"""

VALIDATION = 65
"""Training images of MSHF held out in the paper, which calls them 10 %: of 642 that would be 64."""

_KAGGLE = "Images: rules of the Kaggle competition."
TERMS = {
    "eyeq": ("fu2019evaluation", f"Labels: see the EyeQ repository. {_KAGGLE}"),
    "eyeq_d": ("telesco2025semi", f"Labels: see the paper's repository. {_KAGGLE}"),
    "mshf": ("jin2023mshf", "CC BY 4.0"),
    "deepdrid": ("liu2022deepdrid", "CC BY-SA 4.0"),
    "fives": ("jin2022fives", "CC BY 4.0"),
}
"""Set -> key in the book's bibliography, and licence."""
