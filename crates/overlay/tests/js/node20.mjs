// js-libp2p uses this function of Node 22; the rest of it runs on Node 20.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new Promise((...both) => { [resolve, reject] = both })
  return { promise, resolve, reject }
}
