/** Many things to do, few at a time. */

/** Like Promise.all over map, but with `atOnce` at a time. */
export async function mapSome<T, U>(
  items: readonly T[],
  atOnce: number,
  each: (item: T) => U | Promise<U>,
): Promise<U[]> {
  const results = new Array<U>(items.length);
  const left = items.entries();
  const work = async (): Promise<void> => {
    for (const [i, item] of left) results[i] = await each(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
