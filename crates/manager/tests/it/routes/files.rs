use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn files_are_listed_and_downloaded_as_attachments_that_nobody_runs() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "visibility": "public" })).await;
    let folder = app.app.folders.public(&"x".parse().unwrap());
    std::fs::create_dir_all(folder.join("sub dir")).unwrap();
    std::fs::write(folder.join("sub dir/page.html"), "<script>alert(1)</script>").unwrap();
    std::fs::write(folder.join("logs.zip"), vec![7_u8; 300_000]).unwrap();

    let list = send(app.anonymous(Method::GET, "pools/x/files")).await.expect(200).json();
    let paths: Vec<_> =
        list.as_array().unwrap().iter().map(|f| (f["path"].as_str().unwrap(), f["size"].as_u64())).collect();
    assert_eq!(paths, [("logs.zip", Some(300_000)), ("sub dir/page.html", Some(25))]);

    let page = app.get("pools/x/files/sub%20dir/page.html").await.expect(200);
    assert_eq!(page.text, "<script>alert(1)</script>");
    assert_eq!(page.header("content-type"), "application/octet-stream");
    assert!(page.header("content-security-policy").starts_with("sandbox"));
    assert!(page.header("content-disposition").starts_with("attachment; filename=\"page.html\""));
    let zip = app.get("pools/x/files/logs.zip").await.expect(200);
    assert_eq!((zip.text.len(), zip.header("content-length"), zip.header("content-encoding")), (300_000, "300000", ""));
}

#[tokio::test]
async fn nothing_outside_the_pools_folder_can_be_fetched() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    app.pool("y", "a", json!({})).await;
    let folders = &app.app.folders;
    std::fs::write(folders.public(&"y".parse().unwrap()).join("theirs"), "theirs").unwrap();
    let folder = folders.public(&"x".parse().unwrap());
    std::os::unix::fs::symlink(folders.secret_key(), folder.join("link")).unwrap();
    std::os::unix::fs::symlink(folders.private_root(), folder.join("folder")).unwrap();
    for path in [
        "../y/theirs",
        "..%2fy%2ftheirs",
        "%2e%2e/y/theirs",
        "%2e%2e%2f%2e%2e%2fprivate%2fsecret.key",
        "a/..%2f..%2fy/theirs",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "..%5c..%5cprivate",
        "link",
        "folder/secret.key",
        "%00",
        ".",
        "",
        "missing",
    ] {
        let raw = raw_get(&app, &format!("/api/v1/pools/x/files/{path}")).await;
        let status = raw.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(matches!(status.as_str(), "404" | "400"), "{path}: {raw}");
        assert!(!raw.contains("theirs\r\n") && !raw.contains("root:"), "{path}: {raw}");
    }
    assert_eq!(app.get("pools/x/files").await.json(), json!([]));
    for path in
        ["/private/secret.key", "/data/private/secret.key", "/api/v1/pools/private/files", "/bundles", "/p2ppool.db"]
    {
        let answer = send(app.admin(Method::GET, path)).await;
        let secret = std::fs::read_to_string(folders.secret_key()).unwrap();
        assert!(!answer.text.contains(secret.trim()), "{path}");
    }
}

/// Sent byte by byte, because clients tidy paths up.
async fn raw_get(app: &TestApp, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let token = app.admin_token();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        app.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
