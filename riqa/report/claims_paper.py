"""What the paper claims (Telesco et al. 2025, arXiv:2511.13353): four contributions, three hypotheses.

Words are quoted from Sections 1, 1.2 and 2; numbers come from `riqa.report.published`.
"""

from riqa.data.eyeq_d import PUBLISHED
from riqa.labels import DETAILS
from riqa.report.claims import Claim, Part
from riqa.report.published import expert_and_teacher, overall_quality, quality_details

_OWN_DATA = "Build profile `paper` on the paper's own datasets"


def parts(margin_overall: float, margin: float) -> tuple[Part, ...]:
    """Return the questions that records answer, with this build's margins.

    Args:
        margin_overall: Difference in macro-F1 of overall quality that would matter, in (0, 1).
        margin: Difference that would matter in everything else (agreement, shares), in (0, 1).
    """
    rivals = "multi_task-{rival}"
    return (
        Part(
            "informed",
            "Student: F1 of both classes, minus 0.5",
            "07_examine_quality_details",
            "details.{set}.multi_task-{student}.macro_f1_both_classes",
            "{set}, Student of {student}",
            "better",
            margin,
            reference=0.5,
        ),
        Part(
            "raters",
            "Teacher minus average expert: agreement",
            "08_analyse_observers",
            "observers.{set}.non_inferiority.{detail}",
            "{set}, {detail}",
            "no_worse",
            margin,
        ),
        Part(
            "matches",
            "Student minus Teacher: F1 of a detail",
            "07_examine_quality_details",
            "details.{set}.multi_task-{student}-teacher.{detail}.f1.margin",
            "{set}, {detail}, Student of {student}",
            "no_worse",
            margin,
        ),
        Part(
            "overall",
            "Student minus rival: macro-F1, overall",
            "06_compare_overall_quality",
            f"overall.{{set}}.{rivals}.macro_f1",
            "{set}, rival: {rival}",
            "better",
            margin_overall,
            group="{set}",
            group_size=2,
        ),
        Part(
            "maps_place",
            "Student minus rival: map energy in defects",
            "09_explain_decisions",
            f"explanations.{{set}}.{rivals}.overall.any.energy_gain",
            "{set}, rival: {rival}",
            "better",
            margin,
        ),
        Part(
            "maps_answer",
            "Student minus rival: map against noise",
            "09_explain_decisions",
            f"explanations.{{set}}.{rivals}.{{way}}_gain",
            "{set}, {way}, rival: {rival}",
            "better",
            margin,
        ),
        Part(
            "features",
            "Student minus control: neighbours alike",
            "10_map_latent_space",
            "latent.{set}.multi_task-single_task_control.{detail}.purity",
            "{set}, {detail}",
            "better",
            margin,
        ),
        Part(
            "advice",
            "Advice minus chance: class raised",
            "11_guide_recapture",
            "recapture.{set}.student-random_other.true_raised",
            "{set}, rival: another detail at random",
            "better",
            margin,
        ),
        Part(
            "released",
            "EyeQ-D: photographs with labels",
            "01_curate_images",
            "curation.eyeq_d.test.count",
            "read, minus those stated",
            "count",
            1.0,
            reference=float(PUBLISHED["test"]["all"]),
        ),
    )


def claims() -> tuple[Claim, ...]:
    """Return the paper's claims, hypotheses first, because the contributions lean on them."""
    return (
        Claim(
            "hypothesis_1",
            "Hypothesis 1: pseudo-label noise is like the experts'",
            "Our hypothesis is that the noise introduced by pseudo-labeling these conditions is comparable "
            "to the "
            "intrinsic variability among professionals performing this task.",
            "Section 1",
            _table_5(),
            ("raters",),
            "Get several experts to label a few hundred photographs each, with the same ones in part, and "
            "keep what "
            "each of them said. Chapter 08 needs nothing else. In profile `paper` it takes the readers of "
            "MSHF.",
        ),
        Claim(
            "hypothesis_2",
            "Hypothesis 2: the second task improves discrimination",
            "We further hypothesize that this auxiliary supervision helps the overall-quality branch "
            "attend to "
            "patterns tied to acquisition conditions, improving discrimination performance [...]",
            "Section 1",
            _table_2(),
            ("overall",),
            f"{_OWN_DATA}: chapter 06 says how small a difference EyeQ's 16,249 test images could find. The "
            "control must be trained, too.",
        ),
        Claim(
            "hypothesis_3",
            "Hypothesis 3: the maps become better",
            "[...] improving discrimination performance and the resulting GradCAMs. [...] The method also "
            "yields more "
            "faithful class activation maps, helping users verify the outputs.",
            "Section 1",
            "no number; Figure 4 shows five photographs, all of them errors of the single-task model that "
            "the "
            "multi-task model corrects",
            ("maps_place", "maps_answer"),
            f"{_OWN_DATA} for deletion and insertion. For places, somebody must outline the defects of "
            "real test "
            "photographs.",
        ),
        Claim(
            "contribution_1",
            "Contribution (i): details without labels for them",
            "We propose a semi-supervised scheme for RIQA multi-task learning that reduces the need for "
            "extra "
            "annotations by using pseudo-labels for the auxiliary task.",
            "Section 1.2",
            "642 labelled images train the Teacher (Section 5), which labels 12,543 images of EyeQ and "
            "1,200 of DeepDRiD",
            ("informed",),
            "Label the details of a part of the large set by hand, train a Student on those, and count how "
            "many such "
            "labels it takes to beat the one on pseudo-labels. Neither the paper nor this book has done "
            "that.",
        ),
        Claim(
            "contribution_2",
            "Contribution (ii): as good as experts, and better overall",
            "We show that pseudo-label noise is comparable to inter-observer variability. Under this "
            "regime, the "
            "multi-task model improves the primary task and statistically matches expert performance on "
            "the auxiliary "
            "task, while requiring far fewer manual labels and offering greater interpretability [...]",
            "Section 1.2",
            _table_4(),
            ("raters", "overall", "matches", "advice"),
            f"{_OWN_DATA}, and read chapters 06 to 08. Advice needs a trial at the camera.",
        ),
        Claim(
            "contribution_3",
            "Contribution (iii): how the second task helps",
            "We analyze how multi-task learning guides the primary task toward correct predictions and "
            "yields more "
            "informative GradCAMs.",
            "Section 1.2",
            "no number; Figures 4 and 7",
            ("overall", "maps_place", "maps_answer", "features"),
            f"{_OWN_DATA}, with more than one training seed: a map or a t-SNE plot of one network is an "
            "anecdote.",
        ),
        Claim(
            "contribution_4",
            "Contribution (iv): the labels are released",
            "We release expert annotations of capture conditions for a subset of EyeQ images to support "
            "further "
            "research.",
            "Section 1.2",
            f"{PUBLISHED['test']['all']} images, eight ophthalmologists (Section 3.1)",
            ("released",),
            "Get the label file by `riqa fetch eyeq_d --to FOLDER`, then `riqa check eyeq_d --root FOLDER`.",
        ),
    )


def _table_2() -> str:
    table = overall_quality()
    table = table[table["metric"].isin(["macro_f1", "f1"]) & (table["model"] != "")]
    f1 = table.set_index(["dataset", "model"])["value"]
    return "; ".join(
        f"{name} {f1[key, 'multi_task']:.3f} against {f1[key, 'single_task']:.3f} "
        f"({f1[key, 'multi_task'] - f1[key, 'single_task']:+.3f})"
        for key, name in (("eyeq", "macro-F1 on EyeQ"), ("deepdrid", "F1 on DeepDRiD"))
    ) + "; no interval, no control (Table 2)"  # fmt: skip


def _table_4() -> str:
    table = quality_details().query("metric == 'f1' and model == 'multi_task'")
    return (
        f"Tables 2, 4 and 5; in Table 4, {len(table) - int(table['significant'].sum())} of {len(table)} F1 "
        "values "
        "of the Students do not differ significantly from the Teacher's, with no margin stated"
    )


def _table_5() -> str:
    f1 = expert_and_teacher().query("metric == 'f1'").set_index(["method", "detail"])["value"]
    pairs = [f"{f1['Teacher-A', d]:.3f} against {f1['Ophthalmologist', d]:.3f} ({d})" for d in DETAILS]
    return f"F1 of the Teacher against one expert: {', '.join(pairs)}; not significant (Table 5)"
