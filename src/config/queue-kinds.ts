import { eachOf, parsed } from './kinds.ts';

/** A queue that a tenant may use. `tenant` is `*` for every tenant; `{tenant}` in `queue` stands for the tenant's name. */
export interface TenantQueue {
  readonly tenant: string;
  readonly queue: string;
}

/** `acme:orders,*:audit,*:in.{tenant}`: pairs of a tenant and a queue. The broker's own queues (`amq.…`) are none. */
export const tenantQueues = parsed(
  "a list such as acme:orders,*:audit,*:in.{tenant}: each once, a tenant or *, and a queue of the characters A-Z a-z 0-9 . _ - : /, at most 255, and not amq.…, which is the broker's own",
  (text): readonly TenantQueue[] | undefined => {
    const seen = new Set<string>();
    return eachOf(text, (part): TenantQueue | undefined => {
      const [, tenant, queue] = pairForm.exec(part) ?? [];
      if (tenant === undefined || queue === undefined || queue.startsWith('amq.') || seen.has(part)) return undefined;
      seen.add(part);
      return { tenant, queue };
    });
  },
);

const pairForm = /^(\*|[A-Za-z0-9._-]{1,64}):((?:[A-Za-z0-9._:/-]|\{tenant\}){1,255})$/;
