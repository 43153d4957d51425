"""The service that one would write in Python: FastAPI, and aioboto3 for S3. It was written for this benchmark.

It speaks as much of tus as the benchmark's client needs: an upload is created, and comes with that request or with
requests of 5 MiB or more. It does nothing else: no authentication, no limits, no checksums, no state that outlives it.
"""

import os
import uuid
from contextlib import asynccontextmanager

import aioboto3
from botocore.config import Config
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

PART = 8 << 20
BUCKET = os.environ["BUCKET"]


class Upload:
    def __init__(self, length):
        self.length, self.offset, self.parts, self.multipart = length, 0, [], None


@asynccontextmanager
async def lifespan(app):
    session = aioboto3.Session(
        aws_access_key_id=os.environ["ACCESS_KEY"],
        aws_secret_access_key=os.environ["SECRET_KEY"],
        region_name=os.environ["REGION"],
    )
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=64)
    async with session.client("s3", endpoint_url=os.environ["ENDPOINT"], config=config) as s3:
        app.state.s3, app.state.uploads = s3, {}
        yield


app = FastAPI(lifespan=lifespan)


async def put(key, upload, data):
    """Stores bytes: the object if they are all of it, or else a part."""
    s3, at = app.state.s3, {"Bucket": BUCKET, "Key": key}
    if len(data) == upload.length:
        await s3.put_object(**at, Body=data)
    else:
        if upload.multipart is None:
            upload.multipart = (await s3.create_multipart_upload(**at))["UploadId"]
        number = len(upload.parts) + 1
        part = await s3.upload_part(**at, UploadId=upload.multipart, PartNumber=number, Body=data)
        upload.parts.append({"PartNumber": number, "ETag": part["ETag"]})
    upload.offset += len(data)


async def take(request, key, upload):
    """Stores a request's body."""
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        while len(pending) >= PART and upload.offset + len(pending) < upload.length:
            await put(key, upload, bytes(pending[:PART]))
            del pending[:PART]
    if pending:
        await put(key, upload, bytes(pending))
    if upload.offset == upload.length and upload.parts:
        await app.state.s3.complete_multipart_upload(
            Bucket=BUCKET, Key=key, UploadId=upload.multipart, MultipartUpload={"Parts": upload.parts}
        )


@app.post("/files")
async def create(request: Request):
    key = uuid.uuid4().hex
    upload = app.state.uploads[key] = Upload(int(request.headers["Upload-Length"]))
    await take(request, key, upload)
    return Response(status_code=201, headers={"Location": f"/files/{key}", "Upload-Offset": str(upload.offset)})


@app.patch("/files/{key}")
async def append(key: str, request: Request):
    upload = app.state.uploads[key]
    if int(request.headers["Upload-Offset"]) != upload.offset:
        return Response(status_code=409)
    await take(request, key, upload)
    return Response(status_code=204, headers={"Upload-Offset": str(upload.offset)})


@app.head("/files/{key}")
async def head(key: str):
    upload = app.state.uploads[key]
    return Response(headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)})


@app.get("/files/{key}")
async def get(key: str, request: Request):
    asked = {"Range": request.headers["Range"]} if "Range" in request.headers else {}
    answer = await app.state.s3.get_object(Bucket=BUCKET, Key=key, **asked)
    headers = {"Content-Length": str(answer["ContentLength"])}
    if asked:
        headers["Content-Range"] = answer["ContentRange"]
    return StreamingResponse(answer["Body"].iter_chunks(128 << 10), status_code=206 if asked else 200, headers=headers)
