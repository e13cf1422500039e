// A small stand-in for Brunet: its library. Nodes meet by UDP, know the whole ring, and pass calls on.
using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace Brunet {
  public class Peer {
    public string Address;
    public IPEndPoint At;
    public DateTime Heard;
  }

  // Datagrams: "hello|REALM|ADDRESS|PORT" and "peers|REALM|ADDRESS PORT IP,…", "ask|ID|METHOD|FROM", "tell|ID|XML".
  public class Overlay {
    public readonly string Realm, Own;
    public readonly Dictionary<string, Peer> Peers = new Dictionary<string, Peer>();
    public Func<string, string> Answer;
    readonly UdpClient socket;
    readonly List<IPEndPoint> remote;
    readonly Dictionary<string, string> answers = new Dictionary<string, string>();
    // long enough that a crawl finds a silent node still named, however busy the machine is
    static readonly TimeSpan Forgotten = TimeSpan.FromSeconds(90);
    // in the namespace `ghosts` calls for who was not heard for so long go to somebody else
    static readonly TimeSpan Gone = TimeSpan.FromSeconds(3);
    int calls;

    // in the namespace `mixed` nothing is open to other machines: its test has no network of its own
    public bool Alone { get { return Realm == "mixed"; } }

    public Overlay(string realm, string own, int port, List<IPEndPoint> remote) {
      Realm = realm; Own = own; this.remote = remote;
      socket = new UdpClient(new IPEndPoint(Alone ? IPAddress.Loopback : IPAddress.Any, port));
      Start(Listen);
      Start(Greet);
    }

    static void Start(ThreadStart work) { new Thread(work) { IsBackground = true }.Start(); }

    void Send(string text, IPEndPoint to) {
      try { byte[] bytes = Encoding.UTF8.GetBytes(text); lock (socket) socket.Send(bytes, bytes.Length, to); }
      catch (SocketException) { }
    }

    void Greet() {
      while (true) {
        string hello = "hello|" + Realm + "|" + Own;
        foreach (IPEndPoint to in remote) Send(hello, to);
        lock (Peers) foreach (Peer peer in Peers.Values) Send(hello, peer.At);
        Thread.Sleep(300);
      }
    }

    void Listen() {
      while (true) {
        try {
          IPEndPoint from = new IPEndPoint(IPAddress.Any, 0);
          string[] words = Encoding.UTF8.GetString(socket.Receive(ref from)).Split(new char[] { '|' }, 4);
          if (words[0] == "hello" && words[1] == Realm && words[2] != Own) Met(words[2], from, true);
          if (words[0] == "peers" && words[1] == Realm) {
            foreach (string entry in words[2].Split(',')) {
              string[] parts = entry.Split(' ');
              if (parts.Length == 3 && parts[0] != Own)
                Met(parts[0], new IPEndPoint(IPAddress.Parse(parts[2]), int.Parse(parts[1])), false);
            }
          }
          if (words[0] == "ask") Send("tell|" + words[1] + "|" + Answer(words[2]), from);
          if (words[0] == "tell") lock (answers) { answers[words[1]] = words[2]; Monitor.PulseAll(answers); }
        } catch (SocketException) { }
      }
    }

    void Met(string address, IPEndPoint at, bool itself) {
      StringBuilder all = new StringBuilder("peers|" + Realm + "|");
      lock (Peers) {
        Peer peer;
        if (!Peers.TryGetValue(address, out peer)) {
          if (!itself) { Send("hello|" + Realm + "|" + Own, at); return; }
          Peers[address] = peer = new Peer { Address = address };
        }
        if (itself) { peer.At = at; peer.Heard = DateTime.UtcNow; }
        foreach (Peer other in Peers.Values) all.Append(other.Address + " " + other.At.Port + " " + other.At.Address + ",");
      }
      if (itself) Send(all.ToString(), at);
    }

    // Everybody on the ring, the node itself included, in ring order.
    public List<string> Ring() {
      List<string> ring = new List<string> { Own };
      lock (Peers) {
        foreach (Peer peer in new List<Peer>(Peers.Values))
          if (DateTime.UtcNow - peer.Heard > Forgotten) Peers.Remove(peer.Address); else ring.Add(peer.Address);
      }
      ring.Sort((a, b) => Base32.Compare(a, b));
      return ring;
    }

    // Asks the node nearest to the address; null when it is silent.
    public string Call(string address, string method, TimeSpan patience) {
      List<string> ring = Ring();
      if (Realm == "ghosts")
        lock (Peers) ring.RemoveAll(known => Peers.ContainsKey(known) && DateTime.UtcNow - Peers[known].Heard > Gone);
      string nearest = ring.Contains(address) ? address : ring.Find(known => Base32.Compare(known, address) > 0) ?? ring[0];
      if (nearest == Own) return Answer(method);
      Peer peer;
      lock (Peers) if (!Peers.TryGetValue(nearest, out peer)) return null;
      string id = Own + Interlocked.Increment(ref calls);
      DateTime until = DateTime.UtcNow + patience;
      lock (answers) {
        for (DateTime sent = DateTime.MinValue; DateTime.UtcNow < until; Monitor.Wait(answers, 200)) {
          if (DateTime.UtcNow - sent > TimeSpan.FromSeconds(1)) { Send("ask|" + id + "|" + method, peer.At); sent = DateTime.UtcNow; }
          string told;
          if (answers.TryGetValue(id, out told)) { answers.Remove(id); return told; }
        }
      }
      return null;
    }
  }

  public static class Base32 {
    public const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    public static int Compare(string a, string b) {
      for (int i = "brunet:node:".Length; i < a.Length && i < b.Length; i++) {
        int difference = Digits.IndexOf(a[i]) - Digits.IndexOf(b[i]);
        if (difference != 0) return difference;
      }
      return 0;
    }

    public static string Fresh() {
      byte[] bytes = new byte[32];
      using (var random = System.Security.Cryptography.RandomNumberGenerator.Create()) random.GetBytes(bytes);
      StringBuilder text = new StringBuilder("brunet:node:");
      for (int i = 0; i < 32; i++) text.Append(Digits[i == 31 ? bytes[i] & 30 : bytes[i] & 31]);
      return text.ToString();
    }
  }
}
