import type { RecordView } from "../../store/record.ts";
import type { StreamStore } from "../../store/stream-store.ts";

/** The questions to a store before a message is accepted. */
export interface JudgedStore extends Pick<
  StreamStore,
  "last" | "messages" | "bytes" | "bytesFor" | "bytesOf" | "firstOf" | "countOf"
> {
  lastOf(subject: string): number;
  lastMatching(pattern: string): number;
  read(sequence: number): Pick<RecordView, "body" | "headerLength"> | null;
}
