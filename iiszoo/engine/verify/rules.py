"""The evaluation protocol of a run, and its robot."""

from __future__ import annotations

from dataclasses import fields

from iiszoo.engine.evaluation_protocol import PRESETS, ResolvedProtocol
from iiszoo.engine.robots import RobotReference
from iiszoo.engine.verify.findings import Finding, agreed
from iiszoo.errors import IISZooError
from iiszoo.protocol import Robot

PROTOCOL = "protocol"
ROBOT = "robot"


def check_rules(rules: ResolvedProtocol, threshold: float | None) -> list[Finding]:
    """Whether the rules are those that the protocol's name stands for; that they have the stated hash is known since
    the identity was read. `threshold`: the model's own, None if it is unknown.
    """
    preset = PRESETS.get(rules.name)
    found = []
    for rule in () if preset is None else [field.name for field in fields(preset)]:
        wanted, there = getattr(preset, rule), getattr(rules, rule)
        if rule == "threshold" and wanted is None:
            wanted = there if threshold is None else threshold
        if rule != "robot_version" and wanted != there:
            text = f"it is named {rules.name!r}, whose {rule} is {wanted!r}, and has {there!r}"
            found.append(Finding(PROTOCOL, "differs", text))
    name = repr(rules.name) if preset is not None else f"{rules.name!r}, no preset of iiszoo"
    return agreed(PROTOCOL, found, f"{name}: the hash {rules.hash} follows from its rules; {rules.sentence()}")


def robot_of(reference: RobotReference, rules: ResolvedProtocol) -> tuple[Robot | None, list[Finding]]:
    """The robot that clicked, None if there is not the same one here."""
    try:
        version, _ = reference.known()
        if version == rules.robot_version:
            text = f"{rules.robot}, version {version}"
            return reference.load(), [Finding(ROBOT, "agrees", text)]
    except IISZooError as error:
        return None, [Finding(ROBOT, "unchecked", str(error))]
    newer = "install the iiszoo or the plugin that has it, to check clicks"
    text = f"{rules.robot} has version {version} here, and clicked in version {rules.robot_version}; {newer}"
    return None, [Finding(ROBOT, "unchecked", text)]
