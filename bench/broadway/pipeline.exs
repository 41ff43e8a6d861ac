# One run of a Broadway pipeline in memory; prints one line of JSON.
#
#   elixir -pa EBIN... pipeline.exs WHAT ITEMS
#
# WHAT: `processors`   producer -> two processors, which take the part of the sink as well
#       `batcher`      producer -> two processors -> batcher -> one batch processor: the chain of bench/hop
#       `cpu`          producer -> two processors that keep a core busy for a millisecond an item
#
# Items are those of bench/hop/item.ts, as maps. Nothing is encoded, and nothing survives the end of the process.

defmodule Item do
  @types {"view", "search", "basket", "order", "refund"}
  @tags {"mobile", "desktop", "spring", "sale", "new", "returning", "partner"}
  @notes {"left at the door", "gift, no invoice", "call before delivery", "second attempt today"}

  def make(id) do
    %{
      id: id,
      ts: 1_750_000_000_000 + id * 7,
      user: "user-" <> Integer.to_string(rem(id * 7_919, 1_000_003)),
      type: elem(@types, rem(id, 5)),
      url:
        "https://shop.example/c/" <>
          Integer.to_string(rem(id, 97)) <>
          "/p/" <> Integer.to_string(rem(id * 31, 100_003)) <> "?ref=letter",
      price: price(id),
      tags: [elem(@tags, rem(id, 7)), elem(@tags, rem(id + 3, 7))],
      ok: rem(id, 11) != 0,
      note: elem(@notes, rem(id, 4))
    }
  end

  def price(id), do: 100 + rem(id * 13, 99_900)
  def add_tax(item), do: %{item | price: item.price + 7}
end

defmodule Source do
  use GenStage
  @behaviour Broadway.Producer

  def init({items, work}), do: {:producer, {0, items, work}}

  def handle_demand(demand, {next, items, work}) when next < items do
    if next == 0, do: Arrivals.began()
    upto = min(next + demand, items)
    ack = Broadway.NoopAcknowledger.init()

    messages =
      for id <- next..(upto - 1), do: %Broadway.Message{data: data(work, id), acknowledger: ack}

    {:noreply, messages, {upto, items, work}}
  end

  def handle_demand(_demand, state), do: {:noreply, [], state}

  defp data(:burn, id), do: id
  defp data(_, id), do: Item.make(id)
end

defmodule Arrivals do
  @count 1
  @total 2
  @began 3

  def open(items) do
    :persistent_term.put(__MODULE__, {:counters.new(3, [:write_concurrency]), items, self()})
  end

  def began do
    {counters, _, _} = :persistent_term.get(__MODULE__)
    :counters.put(counters, @began, System.monotonic_time(:microsecond))
  end

  # So many more are through, with this sum of prices. Whoever had the last says so.
  def note(count, total) do
    {counters, items, owner} = :persistent_term.get(__MODULE__)
    :counters.add(counters, @total, total)
    :counters.add(counters, @count, count)

    if :counters.get(counters, @count) >= items do
      send(owner, {:done, System.monotonic_time(:microsecond)})
    end
  end

  def report do
    {counters, items, _} = :persistent_term.get(__MODULE__)

    receive do
      {:done, ended} -> {items, :counters.get(counters, @total), ended - :counters.get(counters, @began)}
    end
  end
end

defmodule Burn do
  def spin(0), do: :ok
  def spin(n), do: spin(n - 1)

  # Rounds that take a millisecond of processor time while both cores are at it.
  def rounds do
    spin(1_000_000)
    n = 200_000_000
    :erlang.statistics(:runtime)
    1..2 |> Enum.map(fn _ -> Task.async(fn -> spin(n) end) end) |> Enum.each(&Task.await(&1, 60_000))
    {_, ms} = :erlang.statistics(:runtime)
    div(2 * n, ms)
  end
end

defmodule Chain do
  use Broadway

  def handle_message(_, message, :processors) do
    item = Item.add_tax(message.data)
    Arrivals.note(1, item.price)
    %{message | data: item}
  end

  def handle_message(_, message, {:burn, rounds}) do
    Burn.spin(rounds)
    Arrivals.note(1, 0)
    message
  end

  def handle_message(_, message, :batcher) do
    %{message | data: Item.add_tax(message.data)}
  end

  def handle_batch(_, messages, _, _) do
    Arrivals.note(length(messages), Enum.reduce(messages, 0, &(&1.data.price + &2)))
    messages
  end
end

[what, items] = System.argv()
items = String.to_integer(items)

{:ok, _} = Application.ensure_all_started(:telemetry)

# Compiled by hand it has no file of its application.
with {:error, _} <- Application.ensure_all_started(:broadway) do
  Application.put_env(:broadway, :config_storage, :persistent_term)
  {:ok, _} = Broadway.Application.start(:normal, [])
end

Arrivals.open(items)

{work, demand} =
  case what do
    "cpu" -> {{:burn, Burn.rounds()}, 10}
    # The quickest of 10 (the default), 100, 1,000 and 5,000.
    _ -> {String.to_atom(what), 100}
  end

{:ok, _} =
  Broadway.start_link(Chain,
    name: Chain,
    context: work,
    producer: [
      module: {Source, {items, if(is_tuple(work), do: :burn, else: :item)}},
      concurrency: 1
    ],
    processors: [default: [concurrency: 2, max_demand: demand]],
    batchers: if(what == "batcher", do: [default: [batch_size: 1_000, batch_timeout: 100, concurrency: 1]], else: [])
  )

{count, total, us} = Arrivals.report()
expected = if what == "cpu", do: 0, else: Enum.reduce(0..(items - 1), 0, &(Item.price(&1) + 7 + &2))
if total != expected, do: raise("broadway: the prices come to #{total} instead of #{expected}")
IO.puts(~s({"items": #{count}, "seconds": #{us / 1_000_000}}))
System.halt(0)
