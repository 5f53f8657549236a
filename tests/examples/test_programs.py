"""Every program of examples/ runs, draws its picture, and has learned: the figure could not be by chance."""

import operator
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from examples.__main__ import PROGRAMS, load  # noqa: E402

LEARNED = {  # of a quick run
    "optimization_paths": [("banana_after_newton_cg", "<", 1e-9), ("height_after_ascent", ">", 181.6)],
    "three_readers": [("cnn", ">", 0.7), ("recurrent", ">", 0.25), ("attention", ">", 0.85)],
    "attention_maps": [("right_numbers", ">", 0.95), ("attention_is_the_permutation", ">", 0.8)],
    "language_model": [("recurrent", "<", 4.4), ("transformer", "<", 4.4)],  # counting letters: 4.67
    "six_ways": [("ways_that_agree_bit_for_bit", ">", 3.5), ("largest_difference", "<", 1e-5)],
    "classifying": [("support_vector_machine", ">", 0.7), ("multi_class_network", ">", 0.6), ("parity", ">", 0.7)],
    "leakage": [("and_classes_weighted", ">", 0.7), ("features_selected_leaking", ">", 0.7),
                ("one_patient_leaking", ">", 0.75), ("examples_oversampled_leaking", ">", 0.7)],
    "vae": [("distance", "<", 220), ("classes", ">", 4)],  # of noise: 380
    "adversarial_autoencoder": [("distance", "<", 250), ("classes", ">", 4)],
    "gan": [("distance", "<", 330), ("classes", ">", 3)],
    "recurrent_gan": [("explained", ">", 0.5)],
    "diffusion": [("recognised", ">", 0.7), ("distance", "<", 150)],
    "fine_tuning": [("feature_extraction_10_labels", ">", 0.8)],  # 0.6: never prime
    "self_supervised": [("probe_after", ">", 0.72)],
    "fixmatch": [("fixmatch", ">", 0.7)],
    "deep_clustering": [("deep_clustering", ">", 0.5)],
    "detection": [("overlap_of_matched_boxes", ">", 0.75)],  # before training: 0.4
    "adversarial_examples": [("plain", ">", 0.85), ("defended_PGD", ">", 0.35)],
    "interpret": [("without_8_pixels_that_matter", "<", 0.3), ("without_8_pixels_by_chance", ">", 0.7),
                  ("completeness_error", "<", 0.02)],
    "privacy": [("attack_auc", ">", 0.58), ("private_attack_auc", "<", 0.56), ("private_accuracy", ">", 0.8)],
    "federated": [("federated", ">", 0.75), ("a_client_alone", "<", 0.5)],
    "compress": [("accuracy_int8", ">", 0.9), ("size_int8", "<", 0.27),
                 ("accuracy_with_a_fifth_of_the_weights", ">", 0.9)],
    "policy_gradients": [("REINFORCE", ">", 150), ("PPO", ">", 150)],  # at random: 22
    "q_learning": [("DQN", ">", 30)],
}
SIGNS = {"<": operator.lt, ">": operator.gt}


def test_every_program_has_its_bounds():
    folder = Path(load("frame").__file__).parent
    helpers = {"carts", "frame", "judge", "mlp", "keras_digits", "pytorch_mnist", "__main__"}
    assert set(PROGRAMS) == set(LEARNED) == {path.stem for path in folder.glob("*.py")} - helpers


QUICK = {"optimization_paths", "three_readers", "six_ways", "classifying", "leakage", "privacy", "self_supervised"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in PROGRAMS])
def test_a_program_learns(name, tmp_path):
    figures = load(name).main(device="cpu", quick=True, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert (tmp_path / f"{name}.png").stat().st_size < 150_000
    for figure, sign, bound in LEARNED[name]:
        assert SIGNS[sign](figures[figure], bound), f"{figure} is {figures[figure]:.4g}, should be {sign} {bound}"
