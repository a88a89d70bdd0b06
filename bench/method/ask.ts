/** One request to the service outside of every load. Gives the body of its answer. Rejects where that is no 2xx. */
export async function ask(
  { token }: { readonly token: string },
  url: string,
  { method = 'GET', path, body }: { readonly method?: string; readonly path: string; readonly body?: unknown },
): Promise<unknown> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

/** Opens accounts in euro that all have the same balance. */
export async function openAccounts(
  bench: { readonly token: string },
  { url, ids }: { readonly url: string; readonly ids: readonly string[] },
): Promise<void> {
  const body = { currency: 'EUR', openingBalance: { minor: '1000000000' } };
  for (const id of ids) await ask(bench, url, { method: 'PUT', path: `/v1/accounts/${id}`, body });
}
