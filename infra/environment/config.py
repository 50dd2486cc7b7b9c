"""What a stack file says about the environment as a whole (namespace `gke-platform`)."""

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings

# Above this an objective cannot be met by anybody, and below it is not worth being woken for.
Share = Annotated[float, Meta(ge=0.5, le=0.99999)]
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
Percent = Annotated[float, Meta(gt=0, le=10)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Speed = Literal["fast", "slow"]
# Google's limits of whom a budget tells.
BUDGET_MAILS, BUDGET_TOPICS = 5, 1


class UptimeCheckArgs(Settings):
    """The checks that ask every routed model's URL from outside."""

    period_seconds: Annotated[
        Literal[60, 300, 600, 900], Meta(description="Time between two checks.")
    ] = 60
    timeout_seconds: Annotated[int, Meta(ge=1, le=60, description="Time for the answer.")] = 10
    skip: Annotated[
        tuple[str, ...],
        Meta(description="Routed models that are not asked; those behind a login never are."),
    ] = ()


class ModelObjectives(Settings):
    """One model's own objectives; what it leaves out is as for all."""

    availability: Annotated[
        Share | None, Meta(description="Share of requests that must not fail.")
    ] = None
    latency_goal: Annotated[
        Share | None, Meta(description="Share of requests that must be answered in time.")
    ] = None
    latency_milliseconds: Annotated[
        Milliseconds | None, Meta(description="What in time means.")
    ] = None


class ObjectivesArgs(Settings):
    """The service level objectives of every routed model."""

    availability: Annotated[Share, Meta(description="Share of requests that must not fail.")] = 0.99
    latency_goal: Annotated[
        Share, Meta(description="Share of requests that must be answered in time.")
    ] = 0.95
    latency_milliseconds: Annotated[Milliseconds, Meta(description="What in time means.")] = 1000
    rolling_days: Annotated[
        int, Meta(ge=1, le=30, description="Days that an objective covers.")
    ] = 28
    models: Annotated[
        dict[str, ModelObjectives],
        Meta(description="Objectives of single models, by the model's name."),
    ] = field(default_factory=dict)


Rate = Annotated[
    float, Meta(gt=1, description="Times as fast as the budget would last for its days.")
]
Window = Annotated[int, Meta(ge=5, le=4320, description="The long window.")]
Confirm = Annotated[int, Meta(ge=1, le=1440, description="The short window.")]


class BurnRateArgs(Settings):
    """One speed at which the error budget must not be spent.

    It alerts while both windows are above the rate: the long one says that it matters, the short
    one that it is still going on.
    """

    burn_rate: Rate
    window_minutes: Window
    confirm_minutes: Confirm

    def __post_init__(self) -> None:
        if self.confirm_minutes >= self.window_minutes:
            raise ValueError(
                f"confirm_minutes {self.confirm_minutes} is not shorter than window_minutes "
                f"{self.window_minutes}; a twelfth of it, {max(1, self.window_minutes // 12)}, is "
                "usual"
            )


class FastBurn(BurnRateArgs):
    """Two per cent of 30 days' budget in an hour: somebody gets up."""

    burn_rate: Rate = 14.4
    window_minutes: Window = 60
    confirm_minutes: Confirm = 5


class SlowBurn(BurnRateArgs):
    """Five per cent of 30 days' budget in six hours: somebody looks today."""

    burn_rate: Rate = 6
    window_minutes: Window = 360
    confirm_minutes: Confirm = 30


class AlertArgs(Settings):
    """When somebody is told."""

    speeds: Annotated[
        tuple[Speed, ...],
        Meta(description="Burn rates that alert; with none of them only the uptime checks do."),
    ] = ("fast", "slow")
    fast: Annotated[FastBurn, Meta(description="The rate that wakes somebody.")] = FastBurn()
    slow: Annotated[SlowBurn, Meta(description="The rate that is for today.")] = SlowBurn()
    close_after_minutes: Annotated[
        int, Meta(ge=30, le=10_080, description="An incident without data is closed after this.")
    ] = 60

    def __post_init__(self) -> None:
        if twice := [speed for speed, count in Counter(self.speeds).items() if count > 1]:
            raise ValueError(f'speeds: "{twice[0]}" stands there twice')

    def at(self, speed: Speed) -> BurnRateArgs:
        """What is said of a speed."""
        return self.fast if speed == "fast" else self.slow


class Channel(Settings, tag_field="kind"):
    """Where an alert goes."""

    name: Annotated[
        str,
        Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Name, part of the channel's own."),
    ]


class Email(Channel, tag="email"):
    """To a mailbox."""

    address: Annotated[
        str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="Address of the mailbox.")
    ]


class Webhook(Channel, tag="webhook"):
    """To a URL, with a name and a password. The password is a secret of the stack file."""

    url: Annotated[str, Meta(pattern=r"^https://[^\s]+$", description="Address that is posted to.")]
    username: Annotated[str, Meta(min_length=1, description="Name for basic authentication.")]
    password: Annotated[
        str,
        Meta(
            min_length=1, description="Set by `pulumi config set --secret --path`, never as text."
        ),
    ]


class PubSub(Channel, tag="pubsub"):
    """To a Pub/Sub topic, which must let Cloud Monitoring publish."""

    topic: Annotated[
        str,
        Meta(
            pattern=r"^projects/[a-z0-9:.-]+/topics/[A-Za-z][A-Za-z0-9._~%+-]{2,254}$",
            description="The topic, as `projects/<project>/topics/<topic>`.",
        ),
    ]


Notification = Email | Webhook | PubSub


class BudgetArgs(Settings):
    """What the project may cost in a month, and when somebody is told."""

    billing_account: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
            description="Id of the billing account that pays for the project.",
        ),
    ]
    amount: Annotated[int, Meta(ge=1, description="Whole units of the currency, a month.")]
    currency: Annotated[
        Currency | None,
        Meta(description="The billing account's, for example `EUR`; none: taken from it."),
    ] = None
    thresholds: Annotated[
        tuple[Percent, ...],
        Meta(min_length=1, description="Shares of the amount, once spent; 0.5 is half of it."),
    ] = (0.5, 0.9, 1.0)
    forecast_thresholds: Annotated[
        tuple[Percent, ...], Meta(description="Shares of the amount, once forecast for the month.")
    ] = (1.0,)

    def __post_init__(self) -> None:
        for key, shares in (
            ("thresholds", self.thresholds),
            ("forecast_thresholds", self.forecast_thresholds),
        ):
            if list(shares) != sorted(set(shares)):
                rising = ", ".join(f"{share:g}" for share in sorted(set(shares)))
                raise ValueError(f"{key}: not in rising order; write [{rising}]")


class EnvironmentConfig(Settings):
    """The environment layer of one environment."""

    uptime_check: Annotated[UptimeCheckArgs, Meta(description="Checks of the models' URLs.")] = (
        UptimeCheckArgs()
    )
    objectives: Annotated[ObjectivesArgs, Meta(description="Objectives of the models.")] = (
        ObjectivesArgs()
    )
    alerts: Annotated[AlertArgs, Meta(description="When somebody is told.")] = AlertArgs()
    notifications: Annotated[
        tuple[Notification, ...], Meta(description="Who is told; nobody if empty.")
    ] = ()
    budget: Annotated[
        BudgetArgs | None, Meta(description="Monthly budget of the project; none: no budget.")
    ] = None

    def __post_init__(self) -> None:
        for name, count in Counter(channel.name for channel in self.notifications).items():
            if count > 1:
                raise ValueError(f'notifications: "{name}" is the name of two channels; rename one')
        for kind, most in ((Email, BUDGET_MAILS), (PubSub, BUDGET_TOPICS)):
            given = sum(isinstance(channel, kind) for channel in self.notifications)
            if self.budget is not None and given > most:
                raise ValueError(
                    f"notifications: {given} of kind {kind.__struct_config__.tag}, where a budget "
                    f"takes {most}; tell a group"
                )
