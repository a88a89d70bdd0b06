/**
 * True from the 18th birthday on. Both are calendar dates such as `2001-05-31`. Who was born on 29 February comes of age
 * on 1 March.
 */
export function isAdult(birthDate: string, today: string): boolean {
  const latestBirthDate = `${Number(today.slice(0, 4)) - 18}${today.slice(4)}`;
  return birthDate <= latestBirthDate;
}
