/**
 * The servers that transcripts are played against. A target keeps one server process per distinct configuration for
 * as long as its tests run.
 */
import { fileURLToPath } from "node:url";
import { startServer, type ServerProcess } from "./nats-server.ts";
import { findNatsServer, isAtLeast } from "./nats-server-binary.ts";
import type { Transcript } from "./transcript.ts";

export class TranscriptTarget {
  readonly name: string;
  private readonly command: string;
  /** Version of a nats-server; undefined for shoal, which has to know every transcript. */
  private readonly version: string | undefined;
  private readonly servers = new Map<string, Promise<ServerProcess>>();

  constructor(name: string, command: string, version?: string) {
    this.name = name;
    this.command = command;
    this.version = version;
  }

  plays(transcript: Transcript): boolean {
    if (this.version === undefined) return true;
    if (transcript.isOfShoalAlone) return false;
    if (transcript.since === undefined) return true;
    return isAtLeast(this.version, transcript.since);
  }

  /** This target is shoal, which has not built yet what the transcript needs. */
  refuses(transcript: Transcript): boolean {
    return this.version === undefined && transcript.needs !== undefined;
  }

  /** Shared by all transcripts with this configuration; a transcript that signals the server gets one of its own. */
  serverFor(transcript: Transcript, split: string): Promise<ServerProcess> {
    const own = transcript.steps.some((step) => step.kind === "signal");
    const key = own ? `${split} ${transcript.name} ${transcript.config}` : transcript.config;
    const started = this.servers.get(key) ?? startServer(this.command, transcript.config);
    this.servers.set(key, started);
    return started;
  }

  async stop(): Promise<void> {
    const servers = await Promise.allSettled(this.servers.values());
    await Promise.all(servers.filter((each) => each.status === "fulfilled").map((each) => each.value.stop()));
    this.servers.clear();
  }
}

export function shoalTarget(): TranscriptTarget {
  return new TranscriptTarget("shoal", fileURLToPath(new URL("../../bin/shoal", import.meta.url)));
}

/** Undefined where no nats-server is installed. */
export function natsServerTarget(): TranscriptTarget | undefined {
  const binary = findNatsServer();
  return binary && new TranscriptTarget(`nats-server ${binary.version}`, binary.path, binary.version);
}
