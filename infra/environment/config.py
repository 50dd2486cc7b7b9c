"""Configuration of the environment layer (namespace `gke-platform`)."""

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.environment.language_models.settings import LanguageModelsArgs

# Above this an objective cannot be met; below it is not worth an alert.
Share = Annotated[float, Meta(ge=0.5, le=0.99999)]
Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
Percent = Annotated[float, Meta(gt=0, le=10)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
Speed = Literal["fast", "slow"]
# Google's limits of a budget's recipients.
BUDGET_MAILS, BUDGET_TOPICS = 5, 1


class UptimeCheckArgs(Settings):
    """Uptime checks of the routed models' URLs."""

    period_seconds: Annotated[
        Literal[60, 300, 600, 900], Meta(description="Seconds between checks.")
    ] = 60
    timeout_seconds: Annotated[
        int, Meta(ge=1, le=60, description="Seconds to wait for a response.")
    ] = 10
    skip: Annotated[
        tuple[str, ...],
        Meta(
            description="Models without a check. Models behind Identity-Aware Proxy, and "
            "those whose routes answer no GET, never have one."
        ),
    ] = ()


class ModelObjectives(Settings):
    """Objectives of one model; the defaults are those of all models."""

    availability: Annotated[
        Share | None, Meta(description="Fraction of requests that must not fail.")
    ] = None
    latency_goal: Annotated[
        Share | None,
        Meta(description="Fraction of requests that must meet `latency_milliseconds`."),
    ] = None
    latency_milliseconds: Annotated[Milliseconds | None, Meta(description="Latency threshold.")] = (
        None
    )


class ObjectivesArgs(Settings):
    """The service level objectives of every routed model."""

    availability: Annotated[Share, Meta(description="Fraction of requests that must not fail.")] = (
        0.99
    )
    latency_goal: Annotated[
        Share, Meta(description="Fraction of requests that must meet `latency_milliseconds`.")
    ] = 0.95
    latency_milliseconds: Annotated[Milliseconds, Meta(description="Latency threshold.")] = 1000
    rolling_days: Annotated[int, Meta(ge=1, le=30, description="Rolling window, in days.")] = 28
    models: Annotated[
        dict[str, ModelObjectives],
        Meta(description="Objectives of single models, by name."),
    ] = field(default_factory=dict)


Rate = Annotated[
    float,
    Meta(
        gt=1, description="Multiple of the rate that spends the budget in exactly `rolling_days`."
    ),
]
Window = Annotated[int, Meta(ge=5, le=4320, description="Long window, in minutes.")]
Confirm = Annotated[int, Meta(ge=1, le=1440, description="Short window, in minutes.")]


class BurnRateArgs(Settings):
    """A burn rate of the error budget that alerts.

    The alert fires while both windows exceed the rate: the long one shows that the loss matters,
    the short one that it continues.
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
    """2 % of 30 days' budget in an hour. Pages the on-call."""

    burn_rate: Rate = 14.4
    window_minutes: Window = 60
    confirm_minutes: Confirm = 5


class SlowBurn(BurnRateArgs):
    """5 % of 30 days' budget in six hours. A ticket for the same day."""

    burn_rate: Rate = 6
    window_minutes: Window = 360
    confirm_minutes: Confirm = 30


class AlertArgs(Settings):
    """Alerts on error budgets and uptime checks."""

    speeds: Annotated[
        tuple[Speed, ...],
        Meta(description="Burn rates that alert. Empty: only uptime checks do."),
    ] = ("fast", "slow")
    fast: Annotated[FastBurn, Meta(description="Burn rate that pages the on-call.")] = FastBurn()
    slow: Annotated[SlowBurn, Meta(description="Burn rate that is handled the same day.")] = (
        SlowBurn()
    )
    close_after_minutes: Annotated[
        int, Meta(ge=30, le=10_080, description="Minutes until an incident without data is closed.")
    ] = 60

    def __post_init__(self) -> None:
        if twice := [speed for speed, count in Counter(self.speeds).items() if count > 1]:
            raise ValueError(f'speeds: "{twice[0]}" is listed twice')

    def at(self, speed: Speed) -> BurnRateArgs:
        """The settings of a speed."""
        return self.fast if speed == "fast" else self.slow


class Channel(Settings, tag_field="kind"):
    """A notification channel."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{0,30}$",
            description="Name, part of the channel's display name.",
        ),
    ]


class Email(Channel, tag="email"):
    """An e-mail address."""

    address: Annotated[
        str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="E-mail address.")
    ]


class Webhook(Channel, tag="webhook"):
    """A URL with basic authentication. The password is a secret of the stack file."""

    url: Annotated[str, Meta(pattern=r"^https://[^\s]+$", description="URL of the webhook.")]
    username: Annotated[str, Meta(min_length=1, description="User name for basic authentication.")]
    password: Annotated[
        str,
        Meta(
            min_length=1, description="Password; set it with `pulumi config set --secret --path`."
        ),
    ]


class PubSub(Channel, tag="pubsub"):
    """A Pub/Sub topic that Cloud Monitoring may publish to."""

    topic: Annotated[
        str,
        Meta(
            pattern=r"^projects/[a-z0-9:.-]+/topics/[A-Za-z][A-Za-z0-9._~%+-]{2,254}$",
            description="Topic, as `projects/<project>/topics/<topic>`.",
        ),
    ]


Notification = Email | Webhook | PubSub


class BudgetArgs(Settings):
    """The monthly budget of the project."""

    billing_account: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
            description="Id of the project's billing account.",
        ),
    ]
    amount: Annotated[
        int, Meta(ge=1, description="Amount per month, in whole units of the currency.")
    ]
    currency: Annotated[
        Currency | None,
        Meta(description="Currency, such as `EUR`. Default: the billing account's."),
    ] = None
    thresholds: Annotated[
        tuple[Percent, ...],
        Meta(min_length=1, description="Notify when these fractions of the amount are spent."),
    ] = (0.5, 0.9, 1.0)
    forecast_thresholds: Annotated[
        tuple[Percent, ...],
        Meta(description="Notify when these fractions are forecast for the month."),
    ] = (1.0,)

    def __post_init__(self) -> None:
        for key, shares in (
            ("thresholds", self.thresholds),
            ("forecast_thresholds", self.forecast_thresholds),
        ):
            if list(shares) != sorted(set(shares)):
                rising = ", ".join(f"{share:g}" for share in sorted(set(shares)))
                raise ValueError(f"{key}: not in ascending order; write [{rising}]")


class EnvironmentConfig(Settings):
    """The environment layer of one environment."""

    uptime_check: Annotated[
        UptimeCheckArgs, Meta(description="Uptime checks of the models' URLs.")
    ] = UptimeCheckArgs()
    objectives: Annotated[
        ObjectivesArgs, Meta(description="Service level objectives of the models.")
    ] = ObjectivesArgs()
    alerts: Annotated[AlertArgs, Meta(description="Alert policies.")] = AlertArgs()
    language_models: Annotated[
        LanguageModelsArgs,
        Meta(description="Objectives of language models, and what their nodes cost."),
    ] = LanguageModelsArgs()
    notifications: Annotated[
        tuple[Notification, ...],
        Meta(description="Notification channels. Empty: nobody is notified."),
    ] = ()
    budget: Annotated[
        BudgetArgs | None, Meta(description="Monthly budget of the project. Default: none.")
    ] = None

    def __post_init__(self) -> None:
        for name, count in Counter(channel.name for channel in self.notifications).items():
            if count > 1:
                raise ValueError(f'notifications: "{name}" is the name of two channels; rename one')
        for kind, most in ((Email, BUDGET_MAILS), (PubSub, BUDGET_TOPICS)):
            given = sum(isinstance(channel, kind) for channel in self.notifications)
            if self.budget is not None and given > most:
                raise ValueError(
                    f"notifications: {given} of kind {kind.__struct_config__.tag}, and a budget "
                    f"takes {most}; use a group address or one topic"
                )
