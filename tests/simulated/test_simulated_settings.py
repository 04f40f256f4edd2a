"""The settings of the simulated teacher."""

import pytest
from pydantic import ValidationError

from selfinstruct.simulated.settings import SimulatedSettings


def test_settings_are_checked() -> None:
    calm = SimulatedSettings()
    assert not any(calm.fault_shares().values()) and calm.latency_s == calm.wrong_share == calm.malformed_share == 0
    assert all(info.description for info in SimulatedSettings.model_fields.values())
    for wrong in (
        {"speed": 1},
        {"error_share": 1.5},
        {"error_share": 0.6, "stall_share": 0.6},
        {"repeat_share": 0.6, "forbidden_share": 0.6},
        {"malformed_kinds": ("odd",)},
        {"latency_s": float("nan")},
        {"latency_s": float("inf")},
        {"rate_limit_burst": 0.5},
        {"capacity": -1},
    ):
        with pytest.raises(ValidationError):
            SimulatedSettings.model_validate(wrong)
    with pytest.raises(ValidationError):
        calm.latency_s = 1.0  # type: ignore[misc]
