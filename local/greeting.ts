export interface Served {
  /** Undefined in a process that only works. */
  readonly url: string | undefined;
  readonly adminUrl: string;
  /** Where the reference is, if everybody may read it. */
  readonly docsUrl?: string | undefined;
  /** Where Temporal's Web UI is, if Portico brought the server along. */
  readonly temporalUi?: string | undefined;
  /** A token for alice of acme, where the development key is provided. */
  readonly token?: string | undefined;
}

/** What `npm start` says once it serves: where, and what to paste into another terminal. */
export function greetingFor({ url, adminUrl, docsUrl, temporalUi, token }: Served): string {
  const where = [
    url === undefined ? 'Portico works.' : `Portico serves at ${url}.`,
    ...(docsUrl === undefined ? [] : [`Read what it offers at ${docsUrl}.`]),
    `Health and metrics are at ${adminUrl}.`,
    ...(temporalUi === undefined ? [] : [`Temporal's Web UI is at ${temporalUi}.`]),
  ];
  if (url === undefined || token === undefined) return ['', ...where, ''].join('\n');
  const [openAccounts, transfer, balance] = linesToPaste(url);
  return [
    '',
    ...where,
    '',
    'A token for alice of tenant acme, good for 12 hours (`npm run token` makes others):',
    '',
    `TOKEN=${token}`,
    '',
    'Paste it into another terminal, and then these three lines: they open two accounts, move 12.50 EUR from one to',
    'the other, and show what arrived.',
    '',
    openAccounts,
    transfer,
    balance,
    '',
  ].join('\n');
}

const linesToPaste = (url: string) =>
  [
    `for id in alice bob; do ${curl} -X PUT ${url}/v1/accounts/$id ${json({ currency: 'EUR', openingBalance: { minor: '100000' } })}; done`,
    `${curl} -H 'Prefer: wait=10' ${url}/v1/transfers ${json({ transferId: 'first', from: 'alice', to: 'bob', amount: { currency: 'EUR', minor: '1250' } })}`,
    `${curl} ${url}/v1/accounts/bob`,
  ] as const;

const curl = `curl -sS -w '\\n' -H "Authorization: Bearer $TOKEN"`;
const json = (body: unknown) => `-H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
