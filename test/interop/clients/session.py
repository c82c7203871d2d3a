"""A session of nats.py at the URL of the first argument; the second names a file of authorities, or is missing. Prints what came of it, as JSON."""
import asyncio
import json
import ssl
import sys

import nats

LARGE = b"large " * 150_000
MANY = 1000


async def settled(client):
    """The server knows what the client has subscribed to. A PING of nats.py, and so its flush, may overtake that."""
    subject = client.new_inbox()
    echo = await client.subscribe(subject)
    await client.publish(subject, b"")
    await echo.next_msg(timeout=60)
    await echo.unsubscribe()


async def session(url, authorities):
    options = {"tls": ssl.create_default_context(cafile=authorities)} if authorities else {}
    publisher = await nats.connect(url, allow_reconnect=False, **options)
    client = await nats.connect(url, allow_reconnect=False, **options)
    seen = {}

    sequence, done = [], asyncio.get_running_loop().create_future()

    async def collect(message):
        sequence.append(int(message.data))
        if len(sequence) == MANY:
            done.set_result(None)

    await client.subscribe("many.*", cb=collect)
    await settled(client)
    for i in range(MANY):
        await publisher.publish(f"many.{i % 7}", str(i).encode())
    await asyncio.wait_for(done, 60)
    seen["in order"] = sequence == list(range(MANY))

    async def answer(message):
        await message.respond(message.data + b" heard by " + message.headers["Who"].encode())

    await client.subscribe("ask", queue="helpers", cb=answer)
    await settled(client)
    reply = await publisher.request("ask", b"question", headers={"Who": "python"}, timeout=60)
    seen["reply"] = reply.data.decode()
    large = await client.subscribe("large")
    await settled(client)
    await publisher.publish("large", LARGE)
    seen["large"] = (await large.next_msg(timeout=60)).data == LARGE
    try:
        await publisher.request("nobody", b"", timeout=60)
    except nats.errors.NoRespondersError:
        seen["nobody"] = "no responders"

    js = publisher.jetstream(timeout=60)
    await js.add_stream(name="PYTHON", subjects=["python.>"])
    for i in range(3):
        await js.publish(f"python.{i}", str(i).encode())
    pull = await js.pull_subscribe("python.>", "puller")
    messages = await pull.fetch(3, timeout=60)
    for message in messages:
        await message.ack_sync(timeout=60)
    seen["pulled"] = [message.data.decode() for message in messages]
    bucket = await js.create_key_value(bucket="python")
    watcher = await bucket.watch("color")
    await bucket.put("color", b"blue")
    seen["value"] = (await bucket.get("color")).value.decode()
    entries = [entry async for entry in first_entries(watcher, 1)]
    seen["watched"] = [entry.value.decode() for entry in entries]
    await js.delete_stream("PYTHON")
    await js.delete_key_value("python")
    await client.drain()
    await publisher.close()
    return seen


async def first_entries(watcher, count):
    while count:
        entry = await watcher.updates(timeout=60)
        if entry is not None:
            count -= 1
            yield entry


print(json.dumps(asyncio.run(session(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))))
