/** What a configuration says of JetStream. */

export interface JetStreamConfig {
  readonly isEnabled: boolean;
  /** null: in the folder for temporary files. */
  readonly storeDir: string | null;
  /** null: by the machine's memory. */
  readonly maxMemoryBytes: number | null;
  /** null: by the volume. */
  readonly maxFileBytes: number | null;
  /** "": none. */
  readonly domain: string;
  /** Fields that nobody knows are refused. */
  readonly isStrict: boolean;
  /** null: what is acknowledged is on the disk; else it is there so much later. */
  readonly syncIntervalMs: number | null;
}

/** What an account may take of JetStream; -1: no limit. */
export interface AccountJetStream {
  readonly maxMemoryBytes: number;
  readonly maxStoreBytes: number;
  readonly maxStreams: number;
  readonly maxConsumers: number;
  readonly maxAckPending: number;
  /** Streams have to say how large they may grow. */
  readonly maxBytesRequired: boolean;
  readonly memoryMaxStreamBytes: number;
  readonly storeMaxStreamBytes: number;
  /** In which account the replicas of its streams talk to each other. */
  readonly clusterTraffic: "system" | "owner";
}
