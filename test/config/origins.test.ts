import { describe, expect, it } from 'vitest';
import { origins } from '../../src/config/origins.ts';

describe('origins', () => {
  it('are a list of what browsers send', () => {
    const text = 'https://app.example.com,https://app.example.com:8443 http://localhost:3000,http://[::1]:5173';
    expect(origins.parse(text)).toEqual([
      'https://app.example.com',
      'https://app.example.com:8443',
      'http://localhost:3000',
      'http://[::1]:5173',
    ]);
  });

  it.each([
    '*',
    'null',
    'https://*.example.com',
    'https://app.example.com/',
    'https://app.example.com/app',
    'https://app.example.com:443',
    'https://App.Example.com',
    'https://user@app.example.com',
    'http://app.example.com',
    'http://localhost.example.com',
    'app.example.com',
    'file://',
    'https://app.example.com,*',
    ' , ',
  ])('are never %j', (text) => {
    const { error } = origins.safeParse(text);
    expect(error?.issues[0]?.message).toMatch(/^must be a list of exact origins .* never \* or null$/);
  });
});
