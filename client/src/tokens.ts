import { within } from './time.ts';

/** Gives a token: a new one where `renew` is true, because the last one was refused. */
export type TokenSource = (asked: { readonly renew: boolean }) => string | Promise<string>;

/** Keeps the token until it is refused. Many requests at once ask the source once, for at most `limitMs` milliseconds. */
export function createTokens(source: TokenSource, limitMs: number) {
  let current: Promise<string> | undefined;
  const bounds = { limitMs, onLate: () => new Error(`The token source gave no token within ${limitMs} ms.`) };

  function ask(renew: boolean): Promise<string> {
    const asked = within(bounds, async () => source({ renew }));
    current = asked;
    // A source that failed is asked again by the next request.
    asked.catch(() => {
      if (current === asked) current = undefined;
    });
    return asked;
  }

  return {
    get: (): Promise<string> => current ?? ask(false),

    /** A token other than the one that was refused. */
    async renew(refused: string): Promise<string> {
      const asked = current;
      const known = await asked?.catch(() => undefined);
      if (known !== undefined && known !== refused) return known;
      // Another request may have asked for a new one meanwhile.
      return current !== undefined && current !== asked ? current : ask(true);
    },
  };
}

export type Tokens = ReturnType<typeof createTokens>;
