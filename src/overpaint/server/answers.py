"""What comes back over HTTP, as pydantic models: for the OpenAPI document, and for tests to check answers against."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from overpaint.server.records import FormatName, Phase, State


class Error(BaseModel):
    """What was wrong."""

    type: str = Field(description="The kind of error.")
    code: str = Field(description="For programs; it stays the same from version to version.")
    message: str = Field(description="For people: what was wrong, where, and what would be right.")
    param: str | None = Field(None, description="The parameter or part at fault.")


class RequestError(Error):
    """An error with the request it came from."""

    request_id: str = Field(description="As in the header x-request-id, and in the server's log.")


class ErrorAnswer(BaseModel):
    """The body of every answer that is no success."""

    error: RequestError


class Job(BaseModel):
    """A job. Times are seconds UTC."""

    id: str
    object: Literal["job"]
    state: State
    created: float
    started: float | None
    finished: float | None
    place: int | None = Field(description="In the queue, 1 for the next.")
    step: int | None
    steps: int | None
    eta: float | None = Field(description="Seconds until it is done, as far as it can be told.")
    seed: int
    t0: int | None = Field(description="The timestep that it started at; known when it is done.")
    sweep: str | None
    params: dict[str, Any] = Field(description="As they were asked for, with all seeds drawn.")
    model: str | None
    format: FormatName
    result: str | None = Field(description="The path of the result, once there is one.")
    warnings: list[str]
    facts: dict[str, Any] | None = Field(description="All that is told of the result.")
    fidelity: dict[str, Any] | None = Field(description="What the result keeps of the picture, if that was asked for.")
    error: Error | None


class JobList(BaseModel):
    """Jobs, newest first."""

    object: Literal["list"]
    data: list[Job]
    has_more: bool


class Sweep(BaseModel):
    """The jobs of a sweep, row after row."""

    id: str
    object: Literal["sweep"]
    jobs: list[Job]


class Picture(BaseModel):
    """A picture that was sent ahead; its id goes where a picture is asked for."""

    id: str
    object: Literal["picture"]
    width: int
    height: int
    notes: list[str] = Field(description="What reading it had to say.")


class RecipeMap(BaseModel):
    """Where a picture was changed, and how much."""

    width: int
    height: int
    pixels: str = Field(description="SHA-256 of its size and numbers.")
    map_png: str | None = Field(
        description="A grey PNG in base64, 0 keeps; of 16 bits where 8 do not tell it exactly. Null: the file lacks it."
    )


class RecipeLayer(BaseModel):
    """A region with a prompt of its own."""

    prompt: str
    negative_prompt: str | None
    strength: float | None
    guidance_scale: float | None
    map: RecipeMap


class Recipe(BaseModel):
    """How a picture was made, as its file tells it."""

    overpaint: int = Field(description="The version of the recipe's layout.")
    makes: str
    params: dict[str, Any] = Field(description="Of an edit; null: it is not told.")
    change_map: RecipeMap | None
    layers: list[RecipeLayer]
    model: dict[str, str | None] = Field(description="Its name and hash.")
    input: dict[str, Any] | None = Field(
        description="The picture that was edited: SHA-256 of its pixels, and its size."
    )
    made_with: dict[str, Any] = Field(description="What else decides the bytes.")
    notes: list[str] = Field(description="What of another program's text could not be used.")


class RecipeList(BaseModel):
    """The recipes that a picture's file holds: one, or those of all edits on a sheet."""

    object: Literal["list"]
    data: list[Recipe]


class Health(BaseModel):
    """How the server is."""

    state: Phase
    reason: str | None = None


class Model(BaseModel):
    """A model, in the form of OpenAI's lists with fields of our own."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    native_size: int
    size_multiple: int
    buckets: list[str]
    largest_area: int
    licence: str
    domain: str
    defaults: dict[str, Any]
    device: str
    dtype: str
    hash: str


class ModelList(BaseModel):
    """The models that are served: one."""

    object: Literal["list"]
    data: list[Model]


class Preset(BaseModel):
    """A named use, as it is with this model."""

    name: str
    use: str
    strength: float
    range: list[float]
    detail: float
    keeps_structure: bool
    example: str


class Band(BaseModel):
    """A band of strength, and what to expect there."""

    low: float
    high: float
    use: str
    preservation: str


class PresetList(BaseModel):
    """The presets, the bands of strength, and what a prompt should say."""

    object: Literal["list"]
    data: list[Preset]
    bands: list[Band]
    advice: str


class Sampler(BaseModel):
    """A solver."""

    name: str
    calls_a_step: int
    noisy: bool
    words: str


class SamplerList(BaseModel):
    """The samplers and the schedules."""

    object: Literal["list"]
    data: list[Sampler]
    schedules: list[str]


class Survival(BaseModel):
    """What of a picture is still there at one strength."""

    strength: float
    t: int
    alpha_bar: float
    signal: float
    snr_db: float | None
    smallest_feature: float | None
    words: str


class NoiseList(BaseModel):
    """What survives at each strength, by the noise of the served model."""

    object: Literal["list"]
    data: list[Survival]


class Tool(BaseModel):
    """A map tool."""

    form: str
    kind: Literal["maker", "changer", "joiner"]
    help: str


class ToolList(BaseModel):
    """The map tools."""

    object: Literal["list"]
    data: list[Tool]


class Parameter(BaseModel):
    """A field of an edit, as it is checked."""

    name: str
    kind: str
    help: str
    low: float | None
    high: float | None
    choices: list[str]
    default: Any


class ParameterList(BaseModel):
    """The fields of an edit."""

    object: Literal["list"]
    data: list[Parameter]
