// A small stand-in for Brunet.Services.XmlRpc: Mono's own HttpListener, so its quirks are the real ones.
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Security;
using System.Text;
using System.Threading;
using System.Xml;

namespace Brunet.Services.XmlRpc {
  public class Server {
    // how long the real one waits for a node that was just killed
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(14.4);
    readonly Brunet.Overlay overlay;

    public Server(Brunet.Overlay overlay, int port) {
      this.overlay = overlay;
      HttpListener listener = new HttpListener();
      listener.Prefixes.Add("http://" + (overlay.Alone ? "127.0.0.1" : "*") + ":" + port + "/");
      listener.Start();
      new Thread(() => {
        while (true) { HttpListenerContext context = listener.GetContext(); ThreadPool.QueueUserWorkItem(_ => Serve(context)); }
      }) { IsBackground = true }.Start();
    }

    void Serve(HttpListenerContext context) {
      string body;
      bool fault = false;
      try {
        if (context.Request.Url.AbsolutePath != "/xm.rem")
          throw new Fault(0, "No service type registered for uri " + context.Request.Url.AbsolutePath);
        body = Value(Handle(new StreamReader(context.Request.InputStream).ReadToEnd()));
      } catch (Fault error) {
        fault = true;
        body = Document("<fault><value><struct><member><name>faultCode</name><value><i4>" + error.Code + "</i4></value></member>"
          + "<member><name>faultString</name><value><string>" + SecurityElement.Escape(error.Message) + "</string></value></member></struct></value></fault>");
      }
      byte[] bytes = Encoding.UTF8.GetBytes(body);
      try {
        if (!fault) context.Response.ContentType = "text/xml; charset=\"utf-8\"";
        context.Response.ContentLength64 = bytes.Length;
        context.Response.OutputStream.Write(bytes, 0, bytes.Length);
        context.Response.Close();
      } catch (Exception) { }
    }

    string Handle(string request) {
      XmlDocument document = new XmlDocument();
      try { document.LoadXml(request); } catch (XmlException) { throw new Fault(0, "Request from client does not contain valid XML."); }
      List<string> arguments = new List<string>();
      foreach (XmlNode node in document.SelectNodes("//param/value")) arguments.Add(node.InnerText);
      switch (document.SelectSingleNode("//methodName").InnerText) {
        case "localproxy": return Checked(overlay.Answer(arguments[0]));
        case "proxy":
          string told = overlay.Call(arguments[0], arguments[3], Patience);
          return told == null ? "<array><data /></array>" : "<array><data><value>" + Checked(told) + "</value></data></array>";
      }
      throw new Fault(0, "unsupported method called: " + document.SelectSingleNode("//methodName").InnerText);
    }

    static string Checked(string told) {
      if (told.StartsWith("!")) throw new Fault(1, "Server returned a fault exception: [-32601] Brunet.Util.AdrException: " + told.Substring(1) + "\n  at Brunet.Messaging.RpcResult.AssertNotException () [0x00000] in <0>:0");
      return told;
    }

    static string Value(string of) { return Document("<params><param><value>" + of + "</value></param></params>"); }
    static string Document(string inner) { return "<?xml version=\"1.0\"?>\n<methodResponse>" + inner + "</methodResponse>"; }
  }

  public class Fault : Exception {
    public readonly int Code;
    public Fault(int code, string message) : base(message) { Code = code; }
  }
}
