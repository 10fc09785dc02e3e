"""What may be had without an account, and where: addresses, checksums, licences.

Label files and predictions come from GitHub at a fixed commit, with the SHA-256 of the file then. DeepDRiD
comes from Zenodo and FIVES from figshare, with the MD5 sums that are published there. For MSHF figshare is
asked, by the dataset's DOI, for the name and the MD5 sum of its archive.
"""

from dataclasses import dataclass

_EYEQ = "https://raw.githubusercontent.com/HzFu/EyeQ/fbe4618b4d797aa515438b5e7206109df93ded1e"
_EYEQ_D = (
    "https://raw.githubusercontent.com/ltelesco/Semi-Supervised-Multi-Task-Learning-for-Interpretable-Quality-"
    "Assessment-of-Fundus-Images/5954e303bf3e97dd7b136a8f9fd9701763c9ffc5"
)
_QUICKQUAL = (
    "https://raw.githubusercontent.com/justinengelmann/QuickQual/582dcfe0d3263b37edf34162bb08a10f4237c305"
)

EYEPACS = """\
EyeQ's photographs are those of Kaggle's competition "diabetic-retinopathy-detection": 35,126 for training and
53,576 for testing, of which EyeQ labels 12,543 and 16,249. Kaggle gives them to those who have an account and
accept the rules of the competition:

 1. Log in and accept the rules: https://www.kaggle.com/c/diabetic-retinopathy-detection/rules
 2. Download train.zip.001 to .005 and test.zip.001 to .007, in a browser or with
        kaggle competitions download -c diabetic-retinopathy-detection
 3. Join and unpack them where EyeQ's label files are (riqa fetch eyeq):
        cat train.zip.* > train.zip && unzip train.zip -d {folder}
        cat test.zip.* > test.zip && unzip test.zip -d {folder}
    which gives {folder}/train/10_left.jpeg and so on.
 4. riqa check eyeq --root {folder}

Any part of the photographs will do; what is missing is counted."""


@dataclass(frozen=True)
class Download:
    """One file.

    Attributes:
        url: Where it is; or `doi:` and the DOI of a dataset that consists of one zip file.
        name: Its name here.
        checksum: As pooch writes it: SHA-256, or `md5:` and an MD5 sum; None to ask the archive behind a DOI.
        keep: Of an archive the one folder that is unpacked, wherever in it that folder lies.
    """

    url: str
    name: str
    checksum: str | None
    keep: str | None = None


@dataclass(frozen=True)
class Source:
    """What `riqa fetch NAME` downloads.

    Attributes:
        title: What it is.
        licence: Its licence.
        size: Its size, in words.
        files: The files; none where only instructions can be given.
        then: What to do next; `{folder}` stands for where it lies.
    """

    title: str
    licence: str
    size: str
    files: tuple[Download, ...]
    then: str


SOURCES = {
    "eyeq": Source(
        "EyeQ's labels (photographs: eyepacs)",
        "see the repository HzFu/EyeQ",
        "0.7 MB",
        (
            Download(
                f"{_EYEQ}/data/Label_EyeQ_train.csv",
                "Label_EyeQ_train.csv",
                "34f39f8923f62a13fcaeccef7e5da7ec607b45805e7736042fa274b2731b9480",
            ),
            Download(
                f"{_EYEQ}/data/Label_EyeQ_test.csv",
                "Label_EyeQ_test.csv",
                "209135bb0dff2d6203c445ee010cbdcb925edb5338a040dc6ae62c06649047b3",
            ),
        ),
        "Add the photographs (riqa fetch eyepacs), then: riqa check eyeq --root {folder}",
    ),
    "eyepacs": Source(
        "EyeQ's photographs", "rules of the Kaggle competition", "needs an account", (), EYEPACS
    ),
    "eyeq_d": Source(
        "EyeQ-D: details of 160 EyeQ test photographs",
        "see the paper's repository",
        "3 kB",
        (
            Download(
                f"{_EYEQ_D}/data/EyeQ-D-Quality-Details.csv",
                "EyeQ-D-Quality-Details.csv",
                "e30ee6c9a6f779440d6c6eb7fa03d945ef48eaa514e22a7e3da0fae501770cf7",
            ),
        ),
        "Its photographs are EyeQ's, of the test set: put them into {folder}/test, or eyeq beside it. "
        "Then: riqa check eyeq_d --root {folder}",
    ),
    "mshf": Source(
        "MSHF: photographs and scores",
        "CC BY 4.0",
        "1.1 GB",
        (
            Download(
                "doi:10.6084/m9.figshare.21507564",
                "MSHF dataset 2.0.zip",
                None,
                keep="MSHF dataset 2.0",
            ),
        ),
        "Next: riqa check mshf --root {folder}",
    ),
    "deepdrid": Source(
        "DeepDRiD: regular fundus photographs and labels",
        "CC BY-SA 4.0",
        "1.4 GB",
        (
            Download(
                "https://zenodo.org/api/records/8248825/files/deepdrdoc/DeepDRiD-v1.1.zip/content",
                "DeepDRiD-v1.1.zip",
                "md5:3379e2fd7a2dd398545a67148420a5d3",
                keep="regular_fundus_images",
            ),
        ),
        "Next: riqa check deepdrid --root {folder}",
    ),
    "fives": Source(
        "FIVES: photographs and scores of their quality",
        "CC BY 4.0",
        "1.8 GB",
        (
            Download(
                "https://ndownloader.figshare.com/files/34969398",
                "FIVES.rar",
                "md5:789c80dd5376a82063e27fa49192bac9",
                keep="FIVES A Fundus Image Dataset for AI-based Vessel Segmentation",
            ),
        ),
        "Next: riqa check fives --root {folder}",
    ),
    "published": Source(
        "Predictions of MCF-Net and QuickQual on EyeQ's test set",
        "see the repositories HzFu/EyeQ and justinengelmann/QuickQual",
        "2.2 MB",
        (
            Download(
                f"{_EYEQ}/MCF_Net/result/DenseNet121_v3_v1.csv",
                "mcf_net_eyeq_test.csv",
                "2e748ef9ed3051d985f466ef02803a3ccbabf9989a89b562cfbec37a8a1c0bd6",
            ),
            Download(
                f"{_QUICKQUAL}/Results/quickqual_results.csv",
                "quickqual_eyeq_test.csv",
                "1c6c3eb8aaeb4c2c674d2ffd78f7a426067edd67f238dc902725dd9959419cda",
            ),
        ),
        "Columns: image_name, and the probabilities Good, Usable, Reject.",
    ),
}
"""Everything that can be fetched, by name. Commits and sums were looked up in November 2026."""
