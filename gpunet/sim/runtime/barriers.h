// Barriers of a whole block (__syncthreads) and of a part of it (bar.sync with a number).
#pragma once

namespace gpunet_sim {

inline void release(Barrier& barrier) {
  barrier.arrived = 0;
  barrier.generation++;
}

void sync_threads(Site site) {
  Worker* w = worker;
  Barrier& barrier = w->barrier[0];
  if (barrier.arrived == 0) {
    barrier.site = site;
    barrier.first_thread = current->linear;
  } else if (barrier.site.line != site.line || barrier.site.file != site.file) {
    fail(Kind::DivergentBarrier, site, "divergent __syncthreads: thread %u of the block waits at %s:%d", barrier.first_thread,
         barrier.site.file, barrier.site.line);
  }
  if (++barrier.arrived < w->alive) {
    wait_change(&barrier.generation, barrier.generation, "__syncthreads", site);
    return;
  }
  if (w->alive < w->threads)
    fail(Kind::DivergentBarrier, site, "__syncthreads after %u of the block's %u threads have exited", w->threads - w->alive, w->threads);
  check_block_barrier();
  release(barrier);
}

// One thread waits for the other blocks, and the block's others for it.
void sync_grid(Site site) {
  Worker* w = worker;
  Launch* launch = w->launch;
  sync_threads(site);
  if (current->linear == 0) {
    unsigned generation = launch->grid_generation;
    if (++launch->at_grid == launch->blocks) {
      launch->at_grid = 0;
      check_grid_barrier();
      launch->grid_generation++;
    } else {
      Fiber* self = running();
      self->waits_for = "grid.sync()";
      self->wait_site = site;
      w->waits_for_grid = true;
      w->grid_generation = generation;
      while (launch->grid_generation == generation) let_other_blocks_run(w);
      w->waits_for_grid = false;
    }
  }
  sync_threads(site);
}

int sync_threads_reduce(int predicate, Reduce reduce, Site site) {
  Barrier& barrier = worker->barrier[0];
  int& result = barrier.reduced[barrier.generation & 1];
  if (barrier.arrived == 0) result = reduce == Reduce::And;
  if (reduce == Reduce::Count)
    result += predicate != 0;
  else if (reduce == Reduce::And)
    result &= predicate != 0;
  else
    result |= predicate != 0;
  sync_threads(site);
  return result;
}

void named_barrier(unsigned id, unsigned threads, bool wait, Site site) {
  if (id >= 16) fail(Kind::Limit, site, "barrier number %u: there are 16", id);
  if (threads == 0 || threads % 32) fail(site, "a barrier of %u threads: the number must be a multiple of 32", threads);
  Barrier& barrier = worker->barrier[id];
  if (barrier.arrived && barrier.expected != threads)
    fail(site, "barrier %u used with %u threads here and with %u at %s:%d", id, threads, barrier.expected,
         barrier.site.file, barrier.site.line);
  barrier.expected = threads;
  barrier.site = site;
  uint32_t generation = barrier.generation;
  check_release(&barrier, generation);
  if (++barrier.arrived == threads)
    release(barrier);
  else if (wait)
    wait_change(&barrier.generation, generation, "a named barrier", site);
  if (wait) check_acquire(&barrier, generation);
}

// A thread that returns early leaves the others at a barrier which it never reaches: an error, though many devices
// let it pass.
void check_barrier_after_exit(Worker* w) {
  Barrier& barrier = w->barrier[0];
  if (barrier.arrived && barrier.arrived == w->alive)
    fail(Kind::DivergentBarrier, barrier.site, "__syncthreads reached by %u threads of the block while %u have exited", barrier.arrived,
         w->threads - w->alive);
}

}  // namespace gpunet_sim
