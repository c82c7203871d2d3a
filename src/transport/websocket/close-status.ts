/** The status of a Close frame (RFC 6455, section 7.4). */

export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  /** Never sent: the peer has said none. */
  none: 1005,
  policy: 1008,
  internalError: 1011,
} as const;

export const PROTOCOL_ERROR = 1002;
export const WRONG_DATA = 1007;
export const TOO_BIG = 1009;

const NEVER_SENT: readonly number[] = [1004, 1005, 1006, 1015];

/** Whether a peer may send it. From 3000 on they belong to libraries and applications. */
export function isCloseStatus(status: number): boolean {
  if (status >= 3000) return status < 5000;
  return status >= 1000 && status < 1016 && !NEVER_SENT.includes(status);
}
