"""Every error of carebus, by the reaction that is right.

CareBusError
├── ConfigurationError   stop before consuming, exit 2
├── MessageError         dead-letter the message, commit
│   ├── InvalidMessage       the bytes do not fit the contract
│   └── PayloadMissing       a claim check points at nothing, or at other bytes
├── RecordError          dead-letter the record, keep the rest of the batch
│   ├── UnmappableRecord     no rule says what this record becomes
│   └── ConstraintViolated   the target refuses this record, and always will
├── TransientError       retry with growing delay, for as long as it lasts
│   ├── SourceUnavailable
│   └── TargetUnavailable
├── JobError             fail the job: its source or its wording is wrong
│   └── InvalidScenario      synthetic patients are asked for in a way that cannot be
└── FatalError           halt without commit, become not-ready
    ├── SchemaFrozen         the target's tables are not the ones that we know
    ├── UnsupportedContract  a message of a newer major version or an unknown kind
    └── UndecodableFlood     too many messages in a row cannot be read: a bad deploy, not bad data

A text of an error names ids of jobs, tables, columns and counts. It never holds a value of a patient.
"""


class CareBusError(Exception):
    """Base of all; catch it only where a sentence is shown to a person."""


class ConfigurationError(CareBusError):
    """A setting is missing, wrong or impossible together with another."""


class MessageError(CareBusError):
    """One message can never be handled."""


class InvalidMessage(MessageError):
    """The bytes of a message do not fit its contract."""


class PayloadMissing(MessageError):
    """The blob of a claim check is not there, or is not the one that was checked in."""


class RecordError(CareBusError):
    """One record can never be handled; its neighbours can."""


class UnmappableRecord(RecordError):
    """No rule says what this record becomes."""


class ConstraintViolated(RecordError):
    """The target refuses this record, and will refuse it again."""


class TransientError(CareBusError):
    """It may work later: wait and try again.

    Attributes:
        system: What we wait for, as people call it ("mariadb at db1:3306").
    """

    def __init__(self, message: str, *, system: str = "") -> None:
        super().__init__(message)
        self.system = system or message


class SourceUnavailable(TransientError):
    """The source does not answer."""


class TargetUnavailable(TransientError):
    """The target does not answer, refuses us, or asks us to come back."""


class JobError(CareBusError):
    """The job cannot go on: what it asks for is not there or does not fit."""


class InvalidScenario(JobError):
    """A scenario of synthetic patients breaks rules.

    Attributes:
        faults: A sentence each; it names the place first ("mix: is 0.95 in sum, must be 1").
    """

    def __init__(self, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"scenario {name}: " + "; ".join(faults))
        self.faults = faults


class FatalError(CareBusError):
    """Going on would lose or spoil data: halt, commit nothing, let a person look."""


class SchemaFrozen(FatalError):
    """The target's tables are not the ones that this version knows."""


class UnsupportedContract(FatalError):
    """A message is of a newer major version than this reader, or of a kind unknown to it."""


class UndecodableFlood(FatalError):
    """So many messages in a row could not be read that the fault must be ours."""
