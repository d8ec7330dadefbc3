/** Seeds are whole numbers that survive JSON: 0 to 2^53 - 1. */

/** @returns {number} one that was drawn */
export function drawSeed() {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low;
}
