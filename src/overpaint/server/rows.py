"""Rows of the table of jobs, and the values that they hold."""

import json
from typing import Any

from sqlalchemy import Row

from overpaint.errors import StoreError
from overpaint.server.records import Asked, Failure, JobRecord, Made


def row_of(job: JobRecord) -> dict[str, Any]:
    return {**vars(job), "asked": job.asked.to_json(), "failure": None, "made": None}


def job_of(row: Row[Any]) -> JobRecord:
    told = row._asdict()
    try:
        told["asked"] = Asked.from_json(row.asked)
        told["failure"] = row.failure and Failure(**json.loads(row.failure))
        told["made"] = row.made and Made(**json.loads(row.made))
        return JobRecord(**told)
    except (KeyError, TypeError, ValueError) as e:
        raise StoreError(f"the job {row.id} in the database cannot be read: {e}") from e
