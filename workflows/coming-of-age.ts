/** True from the 18th birthday on, for dates such as `2001-05-31`. Whoever was born on 29 February is adult on 1 March. */
export function isAdult(birthDate: string, today: string): boolean {
  const latestBirthDate = `${Number(today.slice(0, 4)) - 18}${today.slice(4)}`;
  return birthDate <= latestBirthDate;
}
