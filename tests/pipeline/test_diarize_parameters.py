"""What the operator may say about the diarizer."""

from __future__ import annotations

from typing import Any

import pytest

from asr.pipeline.diarize.parameters import Parameters, parameters
from asr.pipeline.speakers import SpeakerSettings
from asr.settings import Settings, SettingsError


def test_nothing_said_leaves_everything_to_the_source() -> None:
    assert parameters(SpeakerSettings()) == Parameters()


def test_the_json_object_goes_before_the_settings_of_their_own() -> None:
    settings = SpeakerSettings(
        clustering_threshold=0.5,
        min_duration_off_s=0.25,
        param_overrides={"clustering": {"threshold": 0.7, "min_cluster_size": 9, "Fa": 0.07}},
    )
    expected = Parameters(threshold=0.7, min_cluster_size=9, Fa=0.07, min_duration_off=0.25)
    assert parameters(settings) == expected


def test_the_parameters_of_pyannotes_pipelines_are_taken_as_they_are() -> None:
    told: dict[str, Any] = {
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7046},
        "segmentation": {"min_duration_off": 0.0},
    }
    expected = Parameters(threshold=0.7046, min_cluster_size=12, min_duration_off=0.0)
    assert parameters(SpeakerSettings(param_overrides=told)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"clusterin": {}}', "clusterin is not a parameter; did you mean clustering?"),
        (
            '{"clustering": {"treshold": 0.5}}',
            "clustering.treshold is not a parameter; did you mean clustering.threshold?",
        ),
        ('{"segmentation": {"x": 1}}', "segmentation.x is not a parameter"),
        ('{"clustering": 3}', "clustering cannot be 3: expected a JSON object"),
        (
            '{"clustering": {"threshold": 2.5}}',
            "clustering.threshold cannot be 2.5: expected a number, from 0 to 2",
        ),
        (
            '{"clustering": {"threshold": true}}',
            "clustering.threshold cannot be True: expected a number, from 0 to 2",
        ),
        (
            '{"clustering": {"min_cluster_size": 1.5}}',
            "clustering.min_cluster_size cannot be 1.5: expected a whole number, from 1 to 1000",
        ),
        (
            '{"clustering": {"method": "ward"}}',
            "clustering.method cannot be 'ward': expected 'centroid'",
        ),
    ],
)
def test_what_cannot_be_used_is_named_and_refused_at_the_start(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"DIARIZE_PARAM_OVERRIDES": text})
    assert caught.value.problems == (f"DIARIZE_PARAM_OVERRIDES: {problem}",)


def test_all_problems_are_named_together() -> None:
    text = '{"clustering": {"a": 1, "Fb": -1}, "b": {}}'
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"DIARIZE_PARAM_OVERRIDES": text})
    assert len(caught.value.problems) == 3


def test_a_threshold_beyond_any_distance_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"DIARIZE_CLUSTERING_THRESHOLD": "2.1"})
    expected = "DIARIZE_CLUSTERING_THRESHOLD cannot be '2.1': expected a number, from 0 to 2"
    assert caught.value.problems == (expected,)
