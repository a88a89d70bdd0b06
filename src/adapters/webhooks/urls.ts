import { isIP } from 'node:net';
import type { AddressRule } from './addresses.ts';

export interface UrlRules {
  readonly schemes: readonly ('https' | 'http')[];
  readonly ports: readonly { readonly first: number; readonly last: number }[];
  readonly isAllowedAddress: AddressRule;
}

/** `unreadable`: it is no absolute URL. `not-allowed`: it is one that webhooks may not be sent to. */
type JudgedUrl =
  | { readonly kind: 'allowed'; readonly url: URL; readonly host: string; readonly port: number }
  | { readonly kind: 'unreadable' | 'not-allowed'; readonly because: string };

const longestUrl = 2_048;
const usualPorts: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/**
 * Judges a URL by itself, before any name is looked up. The parser writes every form of an IPv4 address (short, octal,
 * hexadecimal, full-width digits) as four decimal numbers: what is judged is what it made of the text.
 */
export function judgeUrl(text: string, { schemes, ports, isAllowedAddress }: UrlRules): JudgedUrl {
  const no = (because: string) => ({ kind: 'not-allowed', because }) as const;
  if (text.length > longestUrl || !URL.canParse(text)) {
    return { kind: 'unreadable', because: `must be an absolute URL of at most ${longestUrl} characters` };
  }
  const url = new URL(text);
  if (!schemes.some((scheme) => url.protocol === `${scheme}:`)) return no('has a scheme that is not allowed');
  if (url.username !== '' || url.password !== '') return no('must not hold a user name or a password');
  const port = url.port === '' ? (usualPorts[url.protocol] ?? 0) : Number(url.port);
  if (!ports.some(({ first, last }) => first <= port && port <= last)) return no('has a port that is not allowed');
  // Brackets belong to the notation of an IPv6 address.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || host.endsWith('.')) return no('must not have a host that is empty or ends in a dot');
  if (isIP(host) !== 0 && !isAllowedAddress(host)) return no('has an address that is not allowed');
  if (isLoopbackName(host) && !loopback.some(isAllowedAddress)) return no('names this machine, which is not allowed');
  return { kind: 'allowed', url, host, port };
}

const loopback = ['127.0.0.1', '::1'];

/** Names that always mean the machine itself (RFC 6761, 6.3). */
export const isLoopbackName = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');
