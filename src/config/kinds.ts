import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { algorithmsOfPublicKey } from './key-algorithms.ts';
import { type Secret, secretOf } from './secret.ts';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A setting is a text that `parse` understands, or the message `must be {expected}`. The text itself is never shown. */
export const parsed = <T>(expected: string, parse: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${expected}` });
    return z.NEVER;
  });

/** Any text. */
export const plainText = z.string();

export const wholeNumber = (min: number, max: number) =>
  parsed(`a whole number from ${min} to ${max}`, (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });

/** A part of the whole: `0`, `0.05`, `1`. */
export const share = parsed('a number from 0 to 1, such as 0.1', (text) =>
  /^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$/.test(text) ? Number(text) : undefined,
);

export const port = wholeNumber(0, 65_535);

/** Ports and ranges of ports: `443,8000-8999`. */
export const portRanges = parsed('a list of ports or ranges of ports such as 443,8000-8999', (text) =>
  eachOf(text, (part) => {
    const [, first = '', last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part) ?? [];
    const range = { first: Number(first), last: Number(last) };
    return first !== '' && range.first >= 1 && range.first <= range.last && range.last <= 65_535 ? range : undefined;
  }),
);

/** `EUR:1000000,JPY:1500000`: an amount in minor units for each currency, of those in `codes`, that is listed. */
export const amountsByCurrency = (codes: readonly string[]) =>
  parsed(
    'a list such as EUR:1000000,JPY:1500000 of currencies in use (ISO 4217), each once, with a whole number of minor units, at most 15 digits',
    (text): ReadonlyMap<string, bigint> | undefined => {
      const amounts = eachOf(text, (part) => {
        const [, code = '', minor = ''] = /^([A-Z]{3}):([0-9]{1,15})$/.exec(part) ?? [];
        return codes.includes(code) ? ([code, BigInt(minor)] as const) : undefined;
      });
      const byCurrency = new Map(amounts);
      return amounts !== undefined && byCurrency.size === amounts.length ? byCurrency : undefined;
    },
  );

/** `500ms`, `15s`, `30m`, `72h`, `2d`, as milliseconds; both bounds are written the same way and belong to the range. */
export const duration = (min: string, max: string) =>
  parsed(`a duration from ${min} to ${max}, such as 500ms, 15s, 30m or 72h`, (text) => {
    const value = millisecondsOf(text);
    return value >= millisecondsOf(min) && value <= millisecondsOf(max) ? value : undefined;
  });

function millisecondsOf(text: string): number {
  const [, digits, unit] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(digits) * (unitsMs[unit ?? ''] ?? Number.NaN);
}

export const oneOf = <const T extends string>(...names: readonly T[]) =>
  parsed(`one of ${names.join(', ')}`, (text) => names.find((name) => name === text));

/** Some of `names`, separated by commas or spaces, in the order given. */
export const someOf = <const T extends string>(...names: readonly T[]) =>
  parsed(`one or more of ${names.join(', ')}, separated by commas`, (text) =>
    eachOf(text, (part) => names.find((name) => name === part)),
  );

/** Addresses and CIDR blocks, separated by commas or spaces. */
export const addressBlocks = parsed('a list of addresses or CIDR blocks such as 10.0.0.0/8', (text) =>
  eachOf(text, (part) => (isAddressBlock(part) ? part : undefined)),
);

/** Each part of a list that commas or white space separate; undefined where one is none, or where there is none. */
export function eachOf<T>(text: string, parse: (part: string) => T | undefined): readonly T[] | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  const values = parts.map(parse).filter((value) => value !== undefined);
  return parts.length > 0 && values.length === parts.length ? values : undefined;
}

function isAddressBlock(text: string): boolean {
  const [address, bits, ...rest] = text.split('/');
  const version = isIP(address ?? '');
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An https URL without user name; http is accepted for this machine only. */
export const secureUrl = parsed('an https URL (http only for this machine)', (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '') return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopbackHosts.has(url.hostname))
    ? url.href
    : undefined;
});

/** A PostgreSQL connection URL. It may hold a password, so it is a secret. */
export const databaseUrl = parsed('a URL such as postgres://user:password@host:5432/database', (text) =>
  URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol) ? secretOf(text) : undefined,
);

/** What secrets of a process's setting are known by, also where a description or a default was added to them. */
const secrets = z.registry<{ readonly file: 'secret' | 'keyRing' | 'brokerUrl' }>();

const secretBytes = (bytes: Buffer): Secret<Buffer> | undefined => (bytes.length >= 32 ? secretOf(bytes) : undefined);

/** The path of a file that holds a secret; one line break at its end is not part of the secret. */
export const secretFile = parsed('the path of a readable file with a secret of at least 32 bytes', (path) => {
  const content = contentOf(path);
  if (content === undefined) return undefined;
  const lineBreak = content.at(-1) === 0x0a ? (content.at(-2) === 0x0d ? 2 : 1) : 0;
  return secretBytes(content.subarray(0, content.length - lineBreak));
});

/** At least 32 bytes of key material, written into the setting itself. A process's setting of this kind has a file twin. */
export const secretText = parsed('a secret of at least 32 bytes', (text) => secretBytes(Buffer.from(text))).register(
  secrets,
  { file: 'secret' },
);

/** A key of AES-256 and the name that what it sealed carries. */
interface RingKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

const keyRingForm = 'a list such as 2026=<base64 of 32 bytes> of named keys, each name once';

const keyRingFile = parsed(`the path of a readable file with ${keyRingForm}`, (path) =>
  keyRingOf(contentOf(path)?.toString('utf8') ?? ''),
);

/** Keys, separated by commas or line breaks. The first seals, every one opens. It has a file twin as {@link secretText}. */
export const keyRing = parsed(keyRingForm, (text) => keyRingOf(text)).register(secrets, { file: 'keyRing' });

function keyRingOf(text: string): Secret<readonly RingKey[]> | undefined {
  const keys = eachOf(text, (part): RingKey | undefined => {
    const [, id, encoded = ''] = /^([A-Za-z0-9_-]{1,64})=([A-Za-z0-9+/_-]{43}=?)$/.exec(part) ?? [];
    const key = Buffer.from(encoded, 'base64');
    return id !== undefined && key.length === 32 ? { id, key } : undefined;
  });
  return keys !== undefined && new Set(keys.map(({ id }) => id)).size === keys.length ? secretOf(keys) : undefined;
}

const brokerForm = 'a URL such as amqps://user:password@host:5671/virtual-host, without a query';

/** White space around the URL is not part of it. */
const brokerUrlFile = parsed(`the path of a readable file with ${brokerForm}`, (path) =>
  brokerUrlOf(contentOf(path)?.toString('utf8').trim() ?? ''),
);

/** The URL of a broker of messages. It may hold a password, so it has a file twin as {@link secretText}. */
export const brokerUrl = parsed(brokerForm, (text) => brokerUrlOf(text)).register(secrets, { file: 'brokerUrl' });

const brokerUrlPattern = /^amqps?:\/\/(?:[^/?#@]*@)?[^/?#@]+(?:\/[^/?#]*)?$/;

function brokerUrlOf(text: string): Secret<string> | undefined {
  try {
    // Throws where a percent sign begins no character.
    decodeURIComponent(text);
    return brokerUrlPattern.test(text) && new URL(text).hostname !== '' ? secretOf(text) : undefined;
  } catch {
    return undefined;
  }
}

const fileTwins = { secret: secretFile, keyRing: keyRingFile, brokerUrl: brokerUrlFile } as const;

/** The kind of the file twin of a secret, with or without a default; undefined for what is no secret. */
export function fileTwinOf(kind: z.ZodType): (typeof fileTwins)[keyof typeof fileTwins] | undefined {
  if (kind instanceof z.ZodOptional || kind instanceof z.ZodPrefault) return fileTwinOf(kind.unwrap() as z.ZodType);
  const secret = secrets.get(kind);
  return secret === undefined ? undefined : fileTwins[secret.file];
}

/** The path of a PEM file, as the PEM text of the public key in it (SPKI). A private key is refused. */
export const publicKeyFile = parsed(
  'the path of a PEM file with a public key: RSA from 2048 bits, P-256, P-384, P-521 or Ed25519',
  (path) => publicKeyOf(contentOf(path)?.toString('utf8') ?? ''),
);

function publicKeyOf(text: string): string | undefined {
  try {
    if (text.includes('PRIVATE KEY')) return undefined;
    const pem = createPublicKey(text).export({ type: 'spki', format: 'pem' }).toString();
    return algorithmsOfPublicKey(pem).length > 0 ? pem : undefined;
  } catch {
    return undefined;
  }
}

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
