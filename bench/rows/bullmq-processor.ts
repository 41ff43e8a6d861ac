/** What BullMQ's sandboxed processes run. */
import { addTax, type Item } from "../hop/item.ts";

export default async function processor(job: { readonly data: Item }): Promise<Item> {
  return addTax(job.data);
}
