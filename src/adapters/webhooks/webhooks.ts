import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../problems.ts';
import type { Attempt } from '../attempt.ts';
import { addressRuleOf } from './addresses.ts';
import type { Endpoints } from './endpoints.ts';
import { posterOf } from './post.ts';
import { type Resolve, resolverOf } from './resolve.ts';
import { attemptTo, type Message, type WebhookTarget } from './send.ts';
import { judgeUrl, type UrlRules } from './urls.ts';

interface Settings extends Omit<UrlRules, 'isAllowedAddress'> {
  readonly allowCidrs?: readonly string[] | undefined;
  readonly timeoutMax: number;
}

interface Given {
  readonly endpoints: Endpoints;
  readonly settings: Settings;
  /** Called with each endpoint that a 410 has disabled. */
  readonly onGone?: (() => void) | undefined;
  /** Only tests look names up otherwise. */
  readonly resolve?: Resolve;
  /** Only tests have an authority of their own. */
  readonly ca?: Buffer;
}

export type { WebhookTarget };

export type Webhooks = ReturnType<typeof createWebhooks>;

const judgePatienceMs = 1_000;

/** Sends webhooks to where tenants want them, but never into the networks of whoever runs this. */
export function createWebhooks({ endpoints, settings, onGone, resolve = resolverOf(), ca }: Given) {
  const isAllowedAddress = addressRuleOf(settings.allowCidrs ?? []);
  const rules = { ...settings, isAllowedAddress };
  const post = posterOf({ isAllowedAddress, resolve, ca });
  const inner = { endpoints, rules, post, onGone, timeoutMax: settings.timeoutMax };

  return {
    /**
     * Judges a target when it is named: a name is looked up, but a name server that is slow refuses nothing. Throws
     * `target-not-allowed`, `not-configured`, or `invalid-request` for what is no URL.
     */
    async judge({ tenant, target }: { readonly tenant: string; readonly target: WebhookTarget }): Promise<void> {
      if ('url' in target) await judgeInline(target.url, { rules, resolve });
      const endpointId = 'url' in target ? target.secretId : target.endpoint;
      if (endpointId === undefined) return;
      const read = await endpoints.readForSending({ tenant, endpointId });
      if (read === undefined) throw notAllowed('There is no endpoint of that id.');
      if (read.secrets === undefined) {
        throw new Problem('not-configured', {
          detail: 'The secrets of the endpoint cannot be opened: its key is missing.',
        });
      }
    },

    /**
     * Makes one attempt. A message may arrive more than once, always with the same id. Undefined where there was no place
     * for it: nothing was sent. Rejects only where nothing was sent because the database is away, and with the signal's
     * reason where `signal` aborted.
     */
    send: (message: Message): Promise<Attempt | undefined> => attemptTo(message, inner),
  };
}

const notAllowed = (detail: string): Problem => new Problem('target-not-allowed', { detail });

async function judgeInline(text: string, { rules, resolve }: { rules: UrlRules; resolve: Resolve }): Promise<void> {
  const judged = judgeUrl(text, rules);
  if (judged.kind === 'unreadable') throw new Problem('invalid-request', { detail: `The URL ${judged.because}.` });
  if (judged.kind !== 'allowed') throw notAllowed(`The URL ${judged.because}.`);
  if (isIP(judged.host) !== 0) return;
  const late = sleep(judgePatienceMs, undefined, { ref: false });
  const answers = await Promise.race([resolve(judged.host).catch(() => undefined), late]);
  if (answers?.some(({ address }) => !rules.isAllowedAddress(address)) === true) {
    throw notAllowed('The name of the URL has an address that is not allowed.');
  }
}
