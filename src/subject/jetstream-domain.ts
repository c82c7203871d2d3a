/**
 * The subjects of a JetStream domain: requests and the subjects of buckets are to be had under `$JS.<domain>.API`, too, from wherever such messages
 * come. As in nats-server 2.15, mappings of the account lead from one to the other, one for each kind of request.
 */
const API = "$JS.API";
const REQUESTS = ["INFO", "STREAM.>", "CONSUMER.>", "DIRECT.>", "META.>", "SERVER.>", "ACCOUNT.>"] as const;
const BUCKETS = ["$KV.>", "$OBJ.>"] as const;

export interface DomainSubject {
  readonly inDomain: string;
  readonly plain: string;
}

export function domainSubjects(domain: string): readonly DomainSubject[] {
  const prefix = `$JS.${domain}.API`;
  return [
    ...REQUESTS.map((request) => ({ inDomain: `${prefix}.${request}`, plain: `${API}.${request}` })),
    ...BUCKETS.map((bucket) => ({ inDomain: `${prefix}.${bucket}`, plain: bucket })),
  ];
}
