import { describe, expect, it } from 'vitest';
import { messageTextOf } from '../../activities/user-grants-texts.ts';

describe('messageTextOf', () => {
  it('speaks English without a locale', () => {
    expect(messageTextOf({ kind: 'welcome', name: 'Ada' }).title).toBe('Welcome, Ada!');
  });

  it.each(['de', 'de-AT', 'DE-at'])('speaks German for %s', (locale) => {
    expect(messageTextOf({ kind: 'welcome', name: 'Ada', locale }).title).toBe('Willkommen, Ada!');
  });

  it('falls back to English for a language it does not speak', () => {
    expect(messageTextOf({ kind: 'adult', name: 'Ada', locale: 'fi-FI' }).title).toBe('One more for you, Ada');
  });
});
