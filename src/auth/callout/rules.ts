/** By which rules a service is asked about clients. */
export interface CalloutRules {
  /** Public nkey of the account that signs answers. */
  readonly issuer: string;
  /** The account in which the service is asked. */
  readonly account: string;
  /** Configured users about whom the service is not asked: names or public nkeys. */
  readonly authUsers: readonly string[];
  /** Public curve key of the service; null: nothing is encrypted. */
  readonly xkey: string | null;
  /** Accounts about whose configured users the service is asked; empty: all. */
  readonly allowedAccounts: readonly string[];
}
