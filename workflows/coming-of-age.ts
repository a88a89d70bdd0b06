/** True from the 18th birthday on, for dates such as `2001-05-31`. A birthday on 29 February counts as 1 March. */
export function isAdult(birthDate: string, today: string): boolean {
  const latestBirthDate = `${Number(today.slice(0, 4)) - 18}${today.slice(4)}`;
  return birthDate <= latestBirthDate;
}
