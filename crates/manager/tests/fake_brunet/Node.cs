// A small stand-in for P2PNode.exe and BasicNode.exe: the same command line, config, output and signals.
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;
using System.Xml;

public static class Node {
  static XmlElement Root(XmlDocument config) { return config.DocumentElement; }

  static string Text(XmlDocument config, string path) {
    XmlNode node = config.SelectSingleNode("/NodeConfig/" + path);
    return node == null ? null : node.InnerText;
  }

  static int Invalid(string why) { Console.WriteLine("Invalid NodeConfig file: " + why); return 255; }

  public static int Main(string[] arguments) {
    string path = null;
    int count = 1;
#if OLD
    if (arguments.Length == 1) path = arguments[0];
#else
    for (int i = 0; i + 1 < arguments.Length; i += 2) {
      if (arguments[i] == "-n") path = arguments[i + 1];
      if (arguments[i] == "-c" && (!int.TryParse(arguments[i + 1], out count) || count < 1)) {
        Console.WriteLine("Invalid count.  Count must be a positive integer."); return 255;
      }
    }
#endif
    if (path == null || !File.Exists(path)) return Invalid("Missing NodeConfig.");
    XmlDocument config = new XmlDocument();
    try { config.Load(path); } catch (XmlException error) { return Invalid(error.Message); }
    string realm = Text(config, "BrunetNamespace");
    if (realm == null) throw new ArgumentNullException("BrunetNamespace");
    string own = Text(config, "NodeAddress");
    if (own == null) {
      own = Brunet.Base32.Fresh();
      XmlElement address = config.CreateElement("NodeAddress");
      address.InnerText = own;
      Root(config).InsertAfter(address, config.SelectSingleNode("/NodeConfig/EdgeListeners"));
    }
    // it writes its config back, with a declaration, before most that can go wrong
    if (config.FirstChild.NodeType != XmlNodeType.XmlDeclaration)
      config.InsertBefore(config.CreateXmlDeclaration("1.0", null, null), config.FirstChild);
    using (XmlTextWriter writer = new XmlTextWriter(path, null)) { writer.Formatting = Formatting.Indented; config.Save(writer); }

    if (Environment.GetEnvironmentVariable("FAKE_NEEDS_IFCONFIG") != null) System.Diagnostics.Process.Start("/sbin/ifconfig");
    string[] wanted = { "udp", "tcp" };
    int udp = 0;
    System.Net.Sockets.TcpListener tcp = null;
    foreach (string kind in wanted) {
      string port = Text(config, "EdgeListeners/EdgeListener[@type='" + kind + "']/port");
      if (port == null) continue;
      if (kind == "udp") udp = int.Parse(port);
      else { tcp = new System.Net.Sockets.TcpListener(IPAddress.Any, int.Parse(port)); tcp.Start(); }
    }
    List<IPEndPoint> remote = new List<IPEndPoint>();
    foreach (XmlNode node in config.SelectNodes("/NodeConfig/RemoteTAs/Transport")) {
      Uri uri = new Uri(node.InnerText.Replace("brunet.", ""));
      if (uri.Scheme == "udp") remote.Add(new IPEndPoint(IPAddress.Parse(uri.Host), uri.Port));
      else if (uri.Scheme != "tcp" && uri.Scheme != "function") throw new ArgumentException(node.InnerText);
    }
    bool serves = Text(config, "XmlRpcManager/Enabled") == "true";
    // the last one has the config's address and the port
    Brunet.Overlay first = null;
    for (int i = 1; i <= count; i++) {
      Brunet.Overlay overlay = i < count ? new Brunet.Overlay(realm, Brunet.Base32.Fresh(), 0, remote) : new Brunet.Overlay(realm, own, udp, remote);
      string ipop = realm == "mixed" && !serves ? (i % 2 == 1 ? "grid" : "lab") : null;
      overlay.Answer = method => Answer(overlay, method, ipop);
      first = first ?? overlay;
    }
    if (serves)
      new Brunet.Services.XmlRpc.Server(first, int.Parse(Text(config, "XmlRpcManager/Port")));
    Console.WriteLine("Starting at {0}, {1} is connecting to {2}.", DateTime.UtcNow, own, realm);

    using (Mono.Unix.UnixSignal signal = new Mono.Unix.UnixSignal(Mono.Unix.Native.Signum.SIGINT)) signal.WaitOne();
    Console.WriteLine("Receiving signal: 2. Exiting");
    Console.WriteLine("Done!");
    // old ones abort here on a new Mono; nobody may take the code for a failure
    return 250;
  }

  static string Member(string name, string value) { return "<member><name>" + name + "</name><value>" + value + "</value></member>"; }
  static string String(string text) { return "<string>" + text + "</string>"; }

  static string Array(string text) { return "<array><data>" + (text == null ? "" : "<value>" + String(text) + "</value>") + "</data></array>"; }

  // in the namespace `mixed` the nodes of a host carry two IPOP networks in turn, each at an address of its own
  static string Ipop(string network) {
    if (network == null) return Member("localips", Array(null)) + Member("type", String("BasicNode"));
    bool grid = network == "grid";
    return Member("localips", Array(grid ? "192.0.2.10" : "198.51.100.10")) + Member("type", String("IpopNode"))
      + Member("IpopNamespace", String(network)) + Member("VirtualIPs", Array(grid ? "10.250.0.2" : "10.251.0.2"));
  }

  static string Answer(Brunet.Overlay overlay, string method, string ipop) {
    string bare = Environment.GetEnvironmentVariable("FAKE_WITHOUT_INFORMATION");
    if (method == "sys:link.GetNeighbors") return Neighbors(overlay);
    if (method == "Information.Info" && bare == null)
      return "<struct>" + Member("neighbors", Neighbors(overlay)) + Member("geo_loc", String(","))
        + Member("udp", "<i4>" + overlay.Peers.Count + "</i4>") + Ipop(ipop)
        + Member("tcp", "<i4>0</i4>") + Member("tunnel", "<i4>0</i4>")
        + Member("cons", "<i4>" + overlay.Peers.Count + "</i4>") + "</struct>";
    return "!No Handler for method: " + method;
  }

  static string Neighbors(Brunet.Overlay overlay) {
    List<string> ring = overlay.Ring();
    int n = ring.Count, at = ring.IndexOf(overlay.Own);
    string members = Member("self", String(overlay.Own));
    if (n > 1) {
      string[] names = { "left", "right", "left2", "right2" };
      int[] steps = { 1, n - 1, 2, 2 * n - 2 };
      for (int i = 0; i < 4; i++) {
        string other = ring[(at + steps[i]) % n];
        // on a ring of two, all four are the other
        members += Member(names[i], String(other == overlay.Own ? ring[(at + 1) % n] : other));
      }
    }
    return "<struct>" + members + "</struct>";
  }
}
