/** The URLs of syslog servers. */
import { describe, expect, it } from "vitest";

import { configOf, errorsOf } from "./sources.ts";

describe("remote_syslog", () => {
  it.each([
    ["udp://127.0.0.1:514", "udp://127.0.0.1:514"],
    ["tcp://logs.example", "tcp://logs.example:514"],
    ["UDP://[::1]:1514/", "udp://[::1]:1514"],
    ["", null],
  ])("takes %j", (url, remoteSyslog) => {
    expect(configOf({ files: { "a.conf": `remote_syslog: "${url}"` } }).log.remoteSyslog).toBe(remoteSyslog);
  });

  it.each([
    "http://a:1",
    "unix:///dev/log",
    "udp://",
    "udp://a:0",
    "tcp://a:65536",
    "udp://user:secret@a:1",
    "a:514",
    "udp://a:1/path",
    "udp://::1:514",
  ])("refuses %j, without repeating it", (url) => {
    const [message, ...more] = errorsOf({ files: { "a.conf": `remote_syslog: "${url}"` } });
    expect(message).toContain("expected udp://host:port or tcp://host:port, as in udp://127.0.0.1:514");
    expect(message).not.toContain("secret");
    expect(more).toEqual([]);
  });
});
