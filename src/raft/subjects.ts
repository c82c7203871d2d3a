/** The subjects of a group, in the system account. */
import { randomToken } from "../base/base62.ts";
import type { Random } from "../base/random.ts";

export const voteSubject = (group: string): string => `$NRG.V.${group}`;
export const appendSubject = (group: string): string => `$NRG.AE.${group}`;
/** Proposals that others forward to whoever leads: the data of one entry. */
export const proposalSubject = (group: string): string => `$NRG.P.${group}`;
/** Asks whoever leads to remove a peer. */
export const removalSubject = (group: string): string => `$NRG.RP.${group}`;

/** Votes, and answers to live entries. Made at the start, for an answer may come before interest in a newer one is known. */
export const answerInbox = (random: Random): string => `$NRG.R.${randomToken(random)}`;

/** One group has this inbox; its server listens to those of all groups at once. */
export const inboxBelow = (inbox: string, number: number): string => `${inbox}.${number}`;

/** Entries of one catch-up. */
export const catchUpInbox = (random: Random): string => `${CATCH_UP_PREFIX}${randomToken(random)}`;

export const CATCH_UP_PREFIX = "$NRG.CR.";

/** Answers to these. They may never reach the inbox for answers to live entries: there they would count for a quorum. */
export const progressInbox = (random: Random): string => `${PROGRESS_PREFIX}${randomToken(random)}`;

export const PROGRESS_PREFIX = "$NRG.CP.";
