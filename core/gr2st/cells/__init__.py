"""Cell types of spots: from files such as HoVer-Net's, or estimated from the picture."""
